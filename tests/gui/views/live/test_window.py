"""The live window with a stand-in for the worker."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.look.style import theme
from fkp_studio.views.live.feed import LiveFrame
from fkp_studio.views.live.seek import SeekBar
from fkp_studio.views.live.view import LiveView
from fkp_studio.views.live.window import LiveWindow
from training.storage.runs.listing import RunInfo
from training.storage.runs.run import Run

FAKE = (sys.executable, str(Path(__file__).parents[3] / "helpers" / "fakes" / "live.py"))


@pytest.fixture
def window(qtbot: QtBot, session: Session) -> Iterator[LiveWindow]:
    made = LiveWindow(session, command=FAKE)
    made.resize(500, 500)
    made.model.addItem("a model", Run(Path("model")))
    made.show()
    yield made
    made.close()


def play(window: LiveWindow, qtbot: QtBot) -> None:
    window.open_file(Path("v.avi"))
    qtbot.waitUntil(lambda: window.view.frame is not None and window.view.frame.number == 2)


def test_a_video_is_shown_with_its_points_and_speed(window: LiveWindow, qtbot: QtBot) -> None:
    assert not window.pause.isEnabled()
    play(window, qtbot)
    qtbot.waitUntil(lambda: window.about.text() == "frame 3 of 3   1 face")
    assert "25 frames/s" in window.speed.text()
    image = window.view.grab().toImage()
    seen = [QColor(image.pixel(x, y)) for x in range(image.width()) for y in range(image.height())]
    line, unsure = QColor(theme.PREDICTION), QColor(theme.SUSPECT)
    assert any(c.blue() - c.red() > (line.blue() - line.red()) / 2 for c in seen)  # the line between two points
    assert any(c.red() - c.blue() > (unsure.red() - unsure.blue()) / 2 for c in seen)  # the point with low confidence


def test_a_frame_goes_to_the_project_and_faults_are_told(
    window: LiveWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(window, qtbot)
    window.save.click()
    qtbot.waitUntil(lambda: window.about.text() == "1 face of this frame saved to the project")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("/nowhere/x.csv", ""))
    window.record.click()
    qtbot.waitUntil(lambda: "the folder does not exist" in window.problem.text())
    assert window.record.text() == "Record CSV…"
    window.start.click()
    assert window.start.text() == "Start"
    assert window.view.frame is None


def test_without_a_camera_the_window_says_so(window: LiveWindow, qtbot: QtBot) -> None:
    window.source.setItemData(1, "9")
    window.source.setCurrentIndex(1)
    window.start.click()
    qtbot.waitUntil(lambda: window.view.sentence == "There is no camera 9.")
    assert window.start.text() == "Start"


def test_a_worker_that_crashes_is_told(qtbot: QtBot, session: Session) -> None:
    window = LiveWindow(session, command=(sys.executable, "-c", "raise SystemExit('out of luck')"))
    window.model.addItem("a model", Run(Path("model")))
    window.show()
    window.open_file(Path("v.avi"))
    qtbot.waitUntil(lambda: "out of luck" in window.view.sentence)
    window.close()


def test_a_press_on_the_image_pauses_and_what_is_lost_is_told(window: LiveWindow, qtbot: QtBot) -> None:
    play(window, qtbot)
    qtbot.mouseClick(window.view, Qt.MouseButton.LeftButton)
    assert window.pause.text() == "Resume"
    qtbot.waitUntil(lambda: window.problem.text() == "The disk is full.")
    assert window.record.text() == "Record CSV…"
    qtbot.keyClick(window.view, Qt.Key.Key_Space)
    assert window.pause.text() == "Pause"
    qtbot.waitUntil(lambda: "the last 40 frames can't be read" in window.problem.text())
    assert window.about.text() == "The video has ended"
    assert window.speed.text() == ""
    assert window.start.text() == "Play again"
    assert not window.pause.isEnabled()
    feed = window._feed
    window.start.click()
    qtbot.waitUntil(lambda: window.view.frame is not None and window.view.frame.number == 0)
    assert window._feed is feed  # the model is not loaded again
    assert window.start.text() == "Stop"
    assert not window.problem.isVisible()


def test_the_bar_goes_to_any_frame_and_says_where_it_is(window: LiveWindow, qtbot: QtBot) -> None:
    play(window, qtbot)
    qtbot.waitUntil(lambda: window.seek.slider.value() == 2)
    assert window.seek.isVisible()
    assert window.seek.time.text() == "0:00 / 0:00"
    qtbot.mouseClick(window.seek.slider, Qt.MouseButton.LeftButton, pos=QPoint(4, window.seek.slider.height() // 2))
    qtbot.waitUntil(lambda: window.view.frame is not None and window.view.frame.number == 0)
    qtbot.mouseClick(window.view, Qt.MouseButton.LeftButton)  # paused: the arrow keys go by frames
    qtbot.keyClick(window.view, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: window.view.frame is not None and window.view.frame.number == 1)
    assert window.seek.slider.value() == 1


def test_going_elsewhere_after_the_end_stays_there_paused(window: LiveWindow, qtbot: QtBot) -> None:
    play(window, qtbot)
    window._on_told({"event": "ended", "lacking": 0})
    assert window.start.text() == "Play again"
    window.seek.slider.setValue(1)
    qtbot.waitUntil(lambda: window.view.frame is not None and window.view.frame.number == 1)
    assert (window.pause.text(), window.start.text()) == ("Resume", "Stop")
    window._on_told({"event": "ended", "lacking": 40})  # it went where nothing can be read
    window._on_told({"event": "sought"})
    assert "the last 40 frames can't be read" in window.problem.text()
    window.start.click()
    assert (window.pause.text(), window.problem.text()) == ("Pause", "")


def test_a_recording_keeps_the_bar_where_it_is(window: LiveWindow, qtbot: QtBot) -> None:
    play(window, qtbot)
    window._on_told({"event": "recording"})
    assert not window.seek.slider.isEnabled()
    assert "takes every frame" in window.seek.slider.toolTip()
    window.seek.step(-1)
    assert window.seek.slider.value() == 2
    window._on_told({"event": "recorded", "rows": 3, "path": "p.csv"})
    assert window.seek.slider.isEnabled()


def test_of_many_wishes_only_the_last_is_kept(qtbot: QtBot) -> None:
    bar, asked = SeekBar(), []
    qtbot.addWidget(bar)
    bar.sought.connect(asked.append)
    bar.begin(90_000, 25)
    bar.slider.setValue(10)
    bar.slider.setValue(20)
    bar.slider.setValue(90_000)
    bar.follow(11)  # an older frame: the bar stays where the user put it
    assert (asked, bar.slider.value(), bar.time.text()) == ([10], 89_999, "59:59 / 1:00:00")
    bar.arrived()
    bar.arrived()
    bar.follow(12)
    assert (asked, bar.slider.value()) == ([10, 89_999], 12)
    bar.begin(0, 25)
    assert not bar.isVisible()


def test_a_frame_of_the_size_of_the_window_is_shown_pixel_by_pixel(qtbot: QtBot) -> None:
    view = LiveView()
    qtbot.addWidget(view)
    view.resize(401, 300)
    pixels = bytes(range(256)) * (401 * 240 * 4 // 256 + 1)
    image = QImage(pixels, 401, 240, 4 * 401, QImage.Format.Format_RGB32)
    view.show_frame(LiveFrame(0, 0.0, image, 1.0, 0.0, (), (), pixels))
    assert (view.room.width(), view.room.height()) == (401, 300)
    assert view.grab().toImage().copy(0, 30, 401, 240).convertToFormat(image.format()) == image


@pytest.mark.parametrize("by_key", [True, False])
def test_it_closes_while_a_video_plays(qtbot: QtBot, session: Session, by_key: bool) -> None:
    window = LiveWindow(session, command=FAKE)
    window.model.addItem("a model", Run(Path("model")))
    window.show()
    play(window, qtbot)
    feed = window._feed
    assert feed is not None
    with qtbot.waitSignal(window.destroyed):
        if by_key:
            qtbot.keyClick(window, Qt.Key.Key_Escape)
        else:
            window.close()
    assert feed._process.wait(10) == 0


def test_the_model_with_the_least_error_is_offered_first(window: LiveWindow) -> None:
    def info(name: str, error: float) -> RunInfo:
        return SimpleNamespace(name=name, run=Run(Path(name)), is_starter=True, best=None, least_error=error)  # type: ignore[return-value]

    window._list([info("a", 2.0), info("b", 1.2), info("c", 1.5), info("starter", float("inf"))])
    assert window.model.currentText() == "b"
    window.model.clear()
    window._list([info("one", float("inf")), info("other", float("inf"))])
    assert window.model.currentText() == "other"
