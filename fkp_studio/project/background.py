"""One worker thread with database connections of its own, for writes and reads that are too long for the interface thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QThreadPool

from fkp_studio.jobs.tasks import run_task
from training.project.project import Project

Work = Callable[[Project], Any]
Done = Callable[[Any], Any]


class Background(QObject):
    """Runs works one after the other, in their order; results come back in the interface thread until `close`."""

    def __init__(self, path: Path, parent: QObject) -> None:
        super().__init__(parent)
        self.pending = 0
        self._path, self._closed, self._worked = path, False, False
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)

    def run(self, work: Work, *, done: Done, failed: Done) -> None:
        """Run `work(project)` on the worker thread, then `done(result)` or `failed(error)` here."""
        self.pending += 1
        path = self._path

        def call() -> Any:
            with Project.open(path) as project:
                return work(project)

        run_task(
            call,
            done=lambda result: self._ended(done, result),
            failed=lambda error: self._ended(failed, error),
            owner=self,
            pool=self._pool,
        )

    def _ended(self, call: Done, value: Any) -> None:
        self.pending -= 1
        self._worked = True
        if not self._closed:
            call(value)

    def take_worked(self) -> bool:
        """Whether any work ended since this was asked last: then it may be us who wrote to the project."""
        worked, self._worked = self._worked, False
        return worked

    def close(self) -> None:
        """Wait until all is written; nobody is called any more."""
        self._closed = True
        self._pool.waitForDone()
