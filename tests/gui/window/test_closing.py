"""Closing the window while a model trains."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from fkp_studio.document.settings import Settings
from fkp_studio.window.closing import ask_to_leave
from fkp_studio.window.main_window import MainWindow


@dataclass
class Busy:
    """Jobs with a run that trains and one that waits."""

    names: list[str]
    stopped: bool = False
    queue: Any = field(init=False)
    experiments: Any = field(init=False)
    searching: Any = field(init=False)
    running: str = ""
    searches: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = self.experiments = self
        self.searching = SimpleNamespace(searching=lambda: self.searches)

    def training(self) -> list[str]:
        return self.names

    def waiting(self) -> list[str]:
        return ["0002-cnn-6"]

    def stop_all(self) -> None:
        self.stopped = True


def answer(word: str) -> None:
    """Press the button that begins with this word as soon as the question appears."""
    box = QApplication.activeModalWidget()
    if isinstance(box, QMessageBox):
        assert "0001-ml-resnet is still training. 1 more is queued" in box.text()
        assert "and then 0002-cnn-6 will train" in box.informativeText()
        assert "If you stop, the queued run is discarded." in box.informativeText()
        next(b for b in box.buttons() if b.text().replace("&", "").startswith(word)).click()
    else:
        QTimer.singleShot(10, lambda: answer(word))


@pytest.mark.parametrize(
    ("word", "leaves", "stops"), [("Continue", True, False), ("Stop", True, True), ("Cancel", False, False)]
)
def test_the_question_has_three_answers(qtbot: QtBot, word: str, leaves: bool, stops: bool) -> None:
    window, jobs = QWidget(), Busy(["0001-ml-resnet"])
    qtbot.addWidget(window)
    window.show()
    QTimer.singleShot(0, lambda: answer(word))
    assert ask_to_leave(jobs, window) is leaves
    assert jobs.stopped is stops


def test_nothing_is_asked_when_nothing_trains(qtbot: QtBot) -> None:
    assert ask_to_leave(Busy([]), QWidget())


def test_a_window_can_be_closed_twice_and_still_knows_its_project(qtbot: QtBot, project_path: Path) -> None:
    """Even one that was never shown: Qt sends it a close event each time."""
    settings = Settings()
    settings.set_last_project(None)
    window = MainWindow(settings)
    qtbot.addWidget(window)
    assert window.opener.open(project_path)
    assert window.close()
    assert window.close()
    assert settings.last_project() == project_path
