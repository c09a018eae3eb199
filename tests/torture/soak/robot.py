"""Somebody who does everything in the window at full speed and at random, and never tires."""

from __future__ import annotations

import random
import shutil
import sys
import traceback
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from fkp_studio.dialogs.exchange.export_dialog import ExportDialog
from fkp_studio.document.store import ProjectStore
from fkp_studio.window.main_window import MainWindow
from training.errors import UserError
from training.faces.labels.labels import PointState

FORMATS = ("csv", "kaggle", "pts")
_NOT_TRIGGERED = (  # they leave the project, need a camera, or open programs of the desktop
    "quit", "close", "demo", "open", "report", "log", "live", "full_screen", "train", "stop", "import", "import_photos",
    "export",
)  # fmt: skip
_OPEN_MS = 300  # how long a dialog stays open
_EXPORT_SECONDS = 30.0


def spin(seconds: float) -> None:
    """Let the window work for so long."""
    loop = QEventLoop()
    QTimer.singleShot(max(1, round(seconds * 1000)), loop.quit)
    loop.exec()


class Robot:
    """Acts on one window with a project. counts: what it did; faults: what was raised and is no UserError."""

    def __init__(self, window: MainWindow, app: QApplication, *, seed: int, scratch: Path) -> None:
        self.window, self.app, self.random, self._scratch = window, app, random.Random(seed), scratch
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        sys.excepthook = self._note
        self._acts = [
            (self.look, 10),
            (self.edit, 5),
            (self.undo, 4),
            (self.predict, 1),
            (self.dialog, 3),
            (self.export, 1),
        ]

    def _note(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, UserError):
            self.counts["refused"] += 1
        else:
            frame = traceback.extract_tb(trace)[-1]
            self.faults.append(f"{kind.__name__}: {error} ({Path(frame.filename).name}:{frame.lineno} in {frame.name})")

    @property
    def _store(self) -> ProjectStore:
        store = self.window.session.store
        if store is None:
            raise RuntimeError("the project was closed")
        return store

    def act(self) -> None:
        """Do one thing."""
        acts, weights = zip(*self._acts, strict=True)
        self.random.choices(acts, weights)[0]()

    def look(self) -> None:
        """Go through faces."""
        session = self.window.session
        for _ in range(self.random.randint(5, 40)):
            if self.random.random() < 0.8:
                session.next_sample()
            else:
                session.set_sample(self.random.randint(1, len(self._store)))
            self.counts["faces"] += 1
            spin(0.01)

    def edit(self) -> None:
        """Place points of the shown face, and set their states."""
        store = self._store
        for _ in range(self.random.randint(3, 12)):
            face, point = self.window.session.sample_id, self.random.randrange(len(store.schema))
            try:
                if self.random.random() < 0.7:
                    store.place(face, point, (self.random.uniform(5, 90), self.random.uniform(5, 90)))
                else:
                    store.set_state(face, point, self.random.choice((PointState.UNSET, PointState.ABSENT)))
                self.counts["edits"] += 1
            except UserError:
                self.counts["refused"] += 1
            spin(0.005)

    def undo(self) -> None:
        for _ in range(self.random.randint(2, 10)):
            stack = self._store.undo_stack
            (stack.undo if self.random.random() < 0.6 else stack.redo)()
            self.counts["undos and redos"] += 1
            spin(0.005)

    def predict(self) -> None:
        """Drop the predictions, start them again, and stop them on the way."""
        runs = self.window.jobs.book.names()
        if not runs:
            return
        session, predictions = self.window.session, self.window.jobs.predictions
        session.set_run("")
        self._store.columns.delete(runs[-1])
        session.set_run(runs[-1])
        predictions.predict(runs[-1])
        spin(self.random.uniform(0.05, 1.0))
        predictions.cancel()
        self.counts["predictions"] += 1

    def dialog(self) -> None:
        """Trigger an action, and close whatever it opens."""
        enabled = [
            n for n, action in self.window.menus.actions.items() if action.isEnabled() and n not in _NOT_TRIGGERED
        ]
        QTimer.singleShot(_OPEN_MS, self._close_others)  # also while one is executed
        self.window.menus.actions[self.random.choice(enabled)].trigger()
        spin(_OPEN_MS / 1000 + 0.1)
        self._close_others()
        self.counts["actions"] += 1

    def _close_others(self) -> None:
        """Close every window but the main one: on a busy machine also what opened after its turn."""
        for widget in self.app.topLevelWidgets():
            if widget is not self.window and widget.isVisible():
                _close(widget)

    def export(self) -> None:
        """Write the labels through the dialog."""
        dialog = ExportDialog(self.window.session, self.window)
        dialog.open()
        dialog.format.setCurrentIndex(dialog.format.findData(self.random.choice(FORMATS)))
        out = self._scratch / f"export-{self.counts['exports']}"
        out.mkdir()
        dialog.out.edit.setText(str(out / "out"))
        dialog.go.click()
        for _ in range(round(_EXPORT_SECONDS / 0.05)):
            spin(0.05)
            if dialog.pages.currentIndex() == 2:
                break
        else:
            self.faults.append(f"an export did not end: {dialog.problem.text()}")
        _close(dialog)
        shutil.rmtree(out)
        self.counts["exports"] += 1


def _close(widget: QWidget | Any) -> None:
    (widget.reject if hasattr(widget, "reject") else widget.close)()
