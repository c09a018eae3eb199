"""Keeps the hash of the current labels, by which stale runs are recognised."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from fkp_studio.background.tasks import run_task
from fkp_studio.document.changes import Changes
from fkp_studio.document.session import Session
from training.storage.project.identity import Place
from training.storage.project.project import Project

WAIT_MS = 1500  # after the last of several edits


class LabelWatch(QObject):
    """Computes the hash in the background, WAIT_MS after labels changed."""

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.hash = ""  # "" while unknown
        self._session = session
        self._soon = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._soon.timeout.connect(self._look)
        session.project_changed.connect(self._open)
        self._open()

    def _open(self) -> None:
        self.hash = ""
        self._soon.stop()
        if self._session.store is not None:
            self._session.store.changed.connect(self._on_changed)
            self._look()

    def _on_changed(self, changes: Changes) -> None:
        if changes.labels or changes.samples:
            self._soon.start()

    def _look(self) -> None:
        store = self._session.store
        if store is not None:
            path = store.project.address
            run_task(label_hash, path, done=lambda found: self._take(path, found), owner=self)

    def _take(self, path: Place, found: str) -> None:
        store = self._session.store
        if store is not None and store.project.address == path and found != self.hash:
            self.hash = found
            self.changed.emit()


def label_hash(path: Place) -> str:
    """The hash of a project's labels, read through its own connection."""
    with Project.open(path, read_only=True) as project:
        return project.label_hash()
