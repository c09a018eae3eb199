"""Brings edits onto the disk itself within a second, on a thread of its own, so that they survive a power cut."""

from __future__ import annotations

from PySide6.QtCore import QObject, QThreadPool, QTimer, Signal

from fkp_studio.background.tasks import run_task
from training.errors import UserError
from training.files.sentences import writing
from training.storage.project.database import Database

FLUSH_MS = 400  # from the first edit until it is brought to the disk, with all that followed


class Flushing(QObject):
    """One flush at a time, for any number of edits since the last."""

    failed = Signal(str)

    def __init__(self, database: Database, parent: QObject) -> None:
        super().__init__(parent)
        self._database = database
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._running = self._told = False
        self._timer = QTimer(self, interval=FLUSH_MS, singleShot=True)
        self._timer.timeout.connect(self._flush)

    @property
    def pending(self) -> bool:
        """Whether there are edits that may be in the system's memory only."""
        return self._running or self._timer.isActive()

    def edited(self) -> None:
        """Note an edit."""
        if not self._timer.isActive():
            self._timer.start()

    def close(self) -> None:
        """Wait for a running flush; what is left is flushed when the project closes."""
        self._timer.stop()
        self._pool.waitForDone()

    def _flush(self) -> None:
        if self._running:  # the disk is slow
            self._timer.start()
            return
        self._running = True
        database = self._database

        def work() -> None:
            with writing(database.folder):
                database.flush()

        run_task(work, done=self._done, failed=self._failed, owner=self, pool=self._pool)

    def _done(self, _: object) -> None:
        self._running = self._told = False

    def _failed(self, error: Exception) -> None:
        self._running = False
        if isinstance(error, UserError) and not self._told:
            self._told = True  # once, until it works again
            self.failed.emit(f"{error} What you did in the last minute may not survive a power cut.")
