"""A worker thread with its own database connections, for reads and writes too long for the interface thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QThreadPool, Signal

from fkp_studio.background.tasks import run_task
from training.errors import UserError
from training.progress import Cancelled, Progress
from training.storage.project.identity import Place
from training.storage.project.project import Project

Work = Callable[[Project], Any]
Done = Callable[[Any], Any]
Stop = threading.Event
STOPPED = "Stopped: nothing was changed."


class Background(QObject):
    """Runs jobs in order, one at a time; results are delivered in the interface thread until `close`."""

    progress = Signal(float)  # 0..1, of a job on many samples, block by block

    def __init__(self, path: Place, parent: QObject) -> None:
        super().__init__(parent)
        self.pending = 0
        self._path, self._closed, self._worked = path, False, False
        self._reads: list[Stop] = []  # the stop events of read-only jobs
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)

    def run(self, work: Work, *, done: Done, failed: Done, reads: bool = False) -> Stop:
        """Run `work(project)` on the worker thread, then `done(result)` or `failed(error)` in the interface thread.

        Setting the returned event ends the job at its next block of samples: nothing is written and `failed` is called.
        reads: the job writes nothing, so that `close` may stop it.
        """
        self.pending += 1
        path, stop = self._path, Stop()
        if reads:
            self._reads.append(stop)

        def call(*, progress: Callable[[float], None]) -> Any:
            with Project.open(path) as project:
                project.database.progress = Progress(lambda share, _words: progress(share), stop.is_set)
                try:
                    return work(project)
                except Cancelled:
                    raise UserError(STOPPED) from None

        def ended(call: Done, value: Any) -> None:
            if stop in self._reads:
                self._reads.remove(stop)
            self._ended(call, value)

        run_task(
            call,
            done=lambda result: ended(done, result),
            failed=lambda error: ended(failed, error),
            progress=self._report,
            owner=self,
            pool=self._pool,
        )
        return stop

    def _report(self, share: float) -> None:
        if not self._closed:
            self.progress.emit(share)

    def _ended(self, call: Done, value: Any) -> None:
        self.pending -= 1
        self._worked = True
        if not self._closed:
            call(value)

    def take_worked(self) -> bool:
        """Whether any job ended since the last call, and so may have written to the project."""
        worked, self._worked = self._worked, False
        return worked

    def close(self) -> None:
        """Wait until all writes are done; no callback is called any more."""
        self._closed = True
        for stop in self._reads:
            stop.set()
        self._pool.waitForDone()
