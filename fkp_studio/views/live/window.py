"""The live window: runs a model on a webcam or video, and saves frames to the project or points to a CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QComboBox, QDialog, QFileDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from fkp_studio.background.tasks import run_task
from fkp_studio.document.session import Session
from fkp_studio.jobs.run_book import list_models
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.dialog_parts import button, row, text_label
from fkp_studio.views.live.feed import WORKER, LiveFeed
from fkp_studio.views.live.seek import SeekBar
from fkp_studio.views.live.view import LiveView
from training.storage.runs.listing import RunInfo
from training.storage.runs.model.starters import starters
from training.storage.runs.run import Run
from training.video.source import VIDEO_SUFFIXES
from training.words import counted

CAMERAS = 3  # offered by number; probing would switch each one on
FILE = "file"
_WORDS_EVERY = 200  # ms between updates of the numbers, which relayout the row
_NOTICE = 4000  # ms that a result is shown in place of the frame number
_WELCOME = "Choose a video file, or choose a camera and press Start."


class LiveWindow(QDialog):
    """The live window. It owns the worker process, which ends with it."""

    def __init__(self, session: Session, parent: QWidget | None = None, *, command: Sequence[str] = WORKER) -> None:
        super().__init__(parent)
        self.setWindowTitle("Webcam or video")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self._command = session, command
        self._feed: LiveFeed | None = None
        self._file = Path()
        self._playing = ""  # the current source
        self._paused = self._recording = self._ended = False
        self._count, self._rate = 0, 25.0
        self._words = QTimer(self, singleShot=True, interval=_WORDS_EVERY)
        self._notice = QTimer(self, singleShot=True, interval=_NOTICE)
        self.view, self.source, self.model = LiveView(), QComboBox(), QComboBox()
        self.seek = SeekBar()
        self.start, self.pause = button("Start", "primary"), button("Pause")
        self.save, self.record = button("Save this frame"), button("Record CSV…")
        self.about, self.speed, self.problem = QLabel(), QLabel(), text_label(role="danger")
        self._fill()
        self._lay_out()
        self._connect()
        self.view.say(_WELCOME)
        self._show_state()
        self.resize(880, 640)

    def _fill(self) -> None:
        self.source.addItem("Video file…", FILE)
        for number in range(CAMERAS):
            self.source.addItem(f"Camera {number}", str(number))
        for box in (self.source, self.model):  # their entries change while the window is shown
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            box.setMinimumWidth(160)
            box.setMaximumWidth(280)
        self.source.setAccessibleName("source")
        self.model.setAccessibleName("model")
        store = self._session.store
        if store is None:
            for starter in starters():
                self.model.addItem(f"{starter.name}, {starter.title}", Run(starter.path))
            return
        folder = store.project.runs_dir
        run_task(list_models, folder, store.project.schema, done=self._list, owner=self)

    def _list(self, infos: list[RunInfo]) -> None:
        able = [info for info in infos if info.is_starter or info.best is not None]
        for info in able:
            self.model.addItem(info.name, info.run)
        names = [info.name for info in able]
        if able:  # the best on val, else the last starter
            best = min(reversed(able), key=lambda info: info.least_error)
            self.model.setCurrentText(self._session.run if self._session.run in names else best.name)
        self._show_state()

    def _lay_out(self) -> None:
        for label in (self.about, self.speed):
            label.setProperty("role", "dim")
            label.setFont(theme.table_font())
        top = QHBoxLayout()
        top.setSpacing(8)
        for text, box in (("Source", self.source), ("Model", self.model)):
            label = QLabel(text)
            label.setBuddy(box)
            top.addWidget(label)
            top.addWidget(box)
            top.addSpacing(8)
        top.addStretch(1)
        top.addWidget(self.start)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self.view, 1)
        column.addWidget(self.seek)
        column.addWidget(self.problem)
        column.addLayout(row(self.pause, self.save, self.record, None, self.about, self.speed))

    def _connect(self) -> None:
        self.start.clicked.connect(self._start_or_stop)
        self.pause.clicked.connect(self._pause_or_go_on)
        self.save.clicked.connect(self._save)
        self.record.clicked.connect(self._record_or_end)
        self.source.activated.connect(self._choose)
        self.model.activated.connect(self._restart)
        self.view.resized.connect(self._tell_size)
        self.view.pressed.connect(self._press)
        self.view.stepped.connect(self._step)
        self.seek.sought.connect(self._seek)
        self._words.timeout.connect(self._show_words)
        self._notice.timeout.connect(self._show_words)
        self._session.project_changed.connect(self.close)

    def open_file(self, path: Path) -> None:
        """Play this video."""
        self._file = path
        self.source.setCurrentIndex(0)
        self.source.setItemText(0, f"Video file: {path.name}")
        self._begin(str(path))

    def _choose(self) -> None:
        if self.source.currentData() != FILE:
            return
        endings = " ".join(f"*{ending}" for ending in VIDEO_SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(self, "Choose a video", "", f"Videos ({endings});;All files (*)")
        if path:
            self.open_file(Path(path))

    def _start_or_stop(self) -> None:
        if self._feed is not None and not self._ended:
            self.end()
        elif self._feed is not None and self.source.currentData() == FILE and self._playing == str(self._file):
            self._ended = self._paused = False
            self.problem.setText("")
            self._feed.ask("again")
            self._show_state()
        elif self.source.currentData() != FILE:
            self._begin(str(self.source.currentData()))
        elif self._file.name:
            self._begin(str(self._file))
        else:
            self._choose()

    def _restart(self) -> None:
        """Restart with the chosen model if one is running."""
        if self._feed is not None:
            self._begin(str(self._file) if self.source.currentData() == FILE else str(self.source.currentData()))

    def _begin(self, source: str) -> None:
        self.end()
        if self.model.currentData() is None:
            self.problem.setText("No model yet: train one, or open a project with 15 or 68 keypoints to use a starter.")
            self._show_state()
            return
        self.problem.setText("")
        self.view.say("Loading the model…")
        feed = LiveFeed(self.model.currentData(), source, command=self._command)
        feed.opened.connect(self._on_opened)
        feed.arrived.connect(self._on_arrived)
        feed.told.connect(self._on_told)
        feed.failed.connect(self._on_failed)
        self._feed, self._playing = feed, source
        self._tell_size()
        self.view.setFocus()
        self._show_state()

    def _tell_size(self) -> None:
        if self._feed is not None:
            self._feed.ask("size", width=self.view.room.width(), height=self.view.room.height())

    def end(self) -> None:
        """Close the video or camera and finish the recording."""
        feed, self._feed = self._feed, None
        self._paused = self._recording = self._ended = False
        if feed is not None:
            feed.close()
        self._words.stop()
        self._notice.stop()
        self.view.show_frame(None)
        self.view.say(_WELCOME)
        self.seek.hide()
        self.about.setText("")
        self.speed.setText("")
        self._show_state()

    def reject(self) -> None:
        """End the worker and close the window; called for Esc and the close button."""
        self.end()
        super().reject()

    def _press(self) -> None:
        """Click Pause, or Start if nothing is playing."""
        if self.pause.isEnabled():
            self.pause.click()
        elif self._feed is None or self._ended:
            self.start.click()

    def _pause_or_go_on(self) -> None:
        if self._feed is not None:
            self._paused = not self._paused
            self._feed.ask("pause" if self._paused else "resume")
            self._show_state()

    def _step(self, seconds: int) -> None:
        """Seek by seconds, or by frames while paused."""
        self.seek.step(seconds if self._paused else round(seconds * self._rate))

    def _seek(self, number: int) -> None:
        """Go to a frame; a video that has ended stays paused there."""
        if self._feed is None:
            return
        if self._ended:
            self._ended, self._paused = False, True
            self._feed.ask("pause")
        self.problem.setText("")
        self._feed.ask("seek", number=number)
        self._show_state()

    def _save(self) -> None:
        store = self._session.store
        if self._feed is not None and store is not None:
            self._feed.ask("save", project=str(store.path), run=str(self.model.currentData()))

    def _record_or_end(self) -> None:
        if self._feed is None:
            return
        if self._recording:
            self._feed.ask("stop")
            return
        path, _ = QFileDialog.getSaveFileName(self, "Record points to", "points.csv", "Tables (*.csv)")
        if path:
            store = self._session.store
            self._feed.ask("record", path=path, project="" if store is None else str(store.path))

    def _on_opened(self, about: dict[str, Any]) -> None:
        self.view.edges = [(int(a), int(b)) for a, b in about["edges"]]
        self._count, self._rate = int(about["count"]), float(about["rate"])
        self.seek.begin(self._count, self._rate)
        self.view.say("Looking for faces…")

    def _on_arrived(self) -> None:
        frame = self._feed.take() if self._feed is not None else None
        if frame is None:
            return
        first = self.view.frame is None
        self.view.show_frame(frame)
        self.seek.follow(frame.number)
        if not self._words.isActive():
            self._words.start()
        if first:
            self._show_words()
            self._show_state()

    def _show_words(self) -> None:
        frame = self.view.frame
        if frame is None:
            return
        faces = len(frame.points)
        of = f" of {self._count:,}" if self._count else ""
        if self._ended and not self._notice.isActive():
            self.about.setText("The video has ended")
        elif not self._notice.isActive():
            self.about.setText(f"frame {frame.number + 1:,}{of}   {counted(faces, 'face')}")
        self.speed.setText(f"  {frame.speed:.0f} frames/s" if frame.speed and not self._ended else "")

    def _say(self, answer: str) -> None:
        """Show the result of an action for _NOTICE ms."""
        self.about.setText(answer)
        self._notice.start()

    def _on_told(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event not in ("ended", "sought"):  # these keep the last problem visible
            self.problem.setText("")
        if event == "sought":
            self.seek.arrived()
        elif event == "problem":
            self.problem.setText(str(message["text"]))
        elif event == "saved":
            faces = int(message["faces"])
            self._say(f"{counted(faces, 'face')} of this frame saved to the project")
        elif event in ("recording", "recorded"):
            self._recording = event == "recording"
            if event == "recorded":
                self._say(f"{int(message['rows']):,} rows in {Path(str(message['path'])).name}")
        elif event == "lost":
            self._recording = False
            self.problem.setText(str(message["text"]))
        elif event == "ended":
            self._ended = True
            if message["lacking"]:
                self.problem.setText(
                    f"The video is damaged: the last {int(message['lacking']):,} frames can't be read."
                )
            self._show_words()
        self._show_state()

    def _on_failed(self, sentence: str) -> None:
        self.end()
        self.view.say(sentence)

    def _show_state(self) -> None:
        runs = self._feed is not None
        shows = runs and self.view.frame is not None
        self.problem.setVisible(bool(self.problem.text()))
        self.start.setText("Play again" if self._ended else "Stop" if runs else "Start")
        self.pause.setText("Resume" if self._paused else "Pause")
        self.pause.setEnabled(shows and not self._ended)
        self.record.setText("End recording" if self._recording else "Record CSV…")
        self.record.setEnabled(shows and not self._ended)
        self.seek.allow(allowed=not self._recording)
        there = self._session.store is not None
        self.save.setEnabled(shows and there)
        self.save.setToolTip("" if there else "Open a project to save frames to")
