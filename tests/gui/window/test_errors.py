"""Error handling, and small parts of the start page and the tour."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from fkp_studio.app import main, parse
from fkp_studio.jobs.run_curves import RunHistory
from fkp_studio.jobs.training_words import clock
from fkp_studio.look.widgets.crash import CrashDialog
from fkp_studio.look.widgets.error_handling import CrashReporter
from fkp_studio.tour.report import RunResult, Shot, write_report
from fkp_studio.window.pages.welcome import ago
from training.errors import UserError


@pytest.fixture
def reporter(qapp: QApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[CrashReporter]:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    made = CrashReporter(qapp)
    yield made
    for widget in qapp.topLevelWidgets():
        if isinstance(widget, CrashDialog | QMessageBox):
            widget.close()
    made.deleteLater()


def shown(kind: type) -> list:
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, kind) and w.isVisible()]


def raise_uncaught(error: Exception) -> None:
    try:
        raise error
    except Exception as caught:
        sys.excepthook(type(caught), caught, caught.__traceback__)


def test_a_fault_of_ours_is_shown_once_with_a_text_to_copy(
    reporter: CrashReporter, qtbot: QtBot, caplog, capsys
) -> None:
    raise_uncaught(ZeroDivisionError("first"))
    raise_uncaught(KeyError("second"))
    (dialog,) = shown(CrashDialog)
    assert "ZeroDivisionError: first" in dialog.text.toPlainText() and "Qt 6" in dialog.text.toPlainText()
    dialog.copy_button.click()
    assert "ZeroDivisionError: first" in QGuiApplication.clipboard().text()
    assert [r.levelno for r in caplog.records if "uncaught" in r.message] == [logging.CRITICAL] * 2
    assert "KeyError" in capsys.readouterr().err


def test_a_users_mistake_is_a_sentence(reporter: CrashReporter, qtbot: QtBot) -> None:
    raise_uncaught(UserError("The file faces.csv has no row 7."))
    (box,) = shown(QMessageBox)
    assert box.text() == "The file faces.csv has no row 7."
    assert shown(CrashDialog) == []


def test_a_fault_in_another_thread_is_shown_too(reporter: CrashReporter, qtbot: QtBot, caplog, capsys) -> None:
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: bool(shown(CrashDialog)))


def test_the_version_is_told(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--version"])
    assert ended.value.code == 0 and "FKP Studio" in capsys.readouterr().out


def test_without_a_display_the_window_says_what_to_do(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert main([]) == 2
    assert "--tour" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "just now"),
        (130, "2 min ago"),
        (7300, "2 h ago"),
        (90_000, "1 day ago"),
        (200_000, "2 days ago"),
        (9e6, "1969-09-18"),
    ],
)
def test_times_are_relative_until_they_are_old(seconds: float, words: str) -> None:
    assert ago(-seconds, now=0.0) == words


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (80, "1:20"), (3723, "1:02:03")])
def test_time_left_reads_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_report_is_one_file_with_figures_and_images(tmp_path: Path) -> None:
    shot = tmp_path / "a.png"
    shot.write_bytes(b"\x89PNG")
    facts = {
        "n": 40,
        "rmse": 2.5,
        "nme_interocular": 0.061,
        "auc@0.08": 0.3,
        "fr@0.10": float("nan"),
        "per_keypoint": {"nose_tip": 1.5},
    }
    results = [RunResult("0001-<b>", facts, ((1.0, 4.0), (2.0, 2.5)), (0.0, 0.5, 1.0))]
    text = write_report(
        tmp_path / "r.html", [Shot(shot, "A & B")], results, samples=600, filled="12 points"
    ).read_text()
    for part in (
        "2.50 px",
        "6.10 %",
        "–",
        "nose tip",
        "A &amp; B",
        "data:image/png;base64,iVBORw==",
        "0001-&lt;b&gt;",
        "12 points",
    ):
        assert part in text
    assert "http" not in text


def test_a_run_without_an_epoch_still_has_a_result() -> None:
    assert RunResult.of("0001-cnn", {}, RunHistory()).rmse_curve == ()
