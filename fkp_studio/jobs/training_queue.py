"""The training queue: runs train one at a time, each followed by its own thread."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from fkp_studio.background.follower import Follower
from fkp_studio.jobs.run_book import RunBook
from fkp_studio.jobs.training_child import TrainingChild
from training.storage.runs.events import Event, RunFinished, RunStarted
from training.storage.runs.folder import request_stop
from training.storage.runs.listing import RunInfo
from training.storage.runs.run import Run
from training.storage.runs.start import TRAIN

OURS_AFTER_SECONDS = 10.0  # a run waiting longer than this is not about to be started by a command line


class TrainingQueue(QObject):
    """Starts the runs of the open project one after another, and follows those started elsewhere."""

    changed = Signal()  # the running or waiting runs changed
    ended = Signal(str)  # this run's training ended, for whatever reason

    def __init__(self, book: RunBook, parent: QObject | None = None, *, command: Sequence[str] = TRAIN) -> None:
        super().__init__(parent)
        self._book = book
        self._command = command
        self._waiting: list[tuple[Run, bool]] = []  # (run, resume)
        self._threads: dict[str, Follower] = {}
        self._own: set[str] = set()  # runs in `_threads` whose process is our child
        self._stopping: set[str] = set()
        self._started: set[str] = set()  # runs whose trainer has emitted RunStarted
        self._requeued = False
        book.listed.connect(self._look_round)

    # ---- requests

    def add(self, run: Run, *, resume: bool = False) -> None:
        """Add a run to the end of the queue."""
        if run.name not in (*self._threads, *self.waiting()):
            self._waiting.append((run, resume))
            self._next()
            self.changed.emit()

    def stop(self, name: str) -> None:
        """Ask a training to stop, keeping its best model; a waiting run is removed from the queue."""
        folder = self._book.folder
        if name in self._threads and folder is not None:
            self._stopping.add(name)
            request_stop(Run(folder / name))
        self.remove(name)
        self.changed.emit()

    def kill(self, name: str) -> None:
        """Kill our training process if it does not react to `stop`."""
        if name in self._own:
            self._threads[name].kill()

    def remove(self, name: str) -> None:
        """Remove a run from the queue."""
        self._waiting = [(path, resume) for path, resume in self._waiting if path.name != name]

    def leave(self) -> None:
        """Stop following all runs: trainings continue, waiting runs stay on disk."""
        threads, self._threads = self._threads, {}
        self._waiting = []
        for names in (self._own, self._stopping, self._started):
            names.clear()
        for thread in threads.values():
            thread.leave()
            thread.deleteLater()
        self._requeued = False
        self.changed.emit()

    # ---- state

    def waiting(self) -> list[str]:
        """The names of the waiting runs, next first."""
        return [path.name for path, _ in self._waiting]

    def training(self) -> list[str]:
        """The names of the runs in training, ours first."""
        return sorted(self._threads, key=lambda name: name not in self._own)

    def status(self, info: RunInfo) -> str:
        """A run's status: that of RunInfo, or waiting, starting, stopping."""
        if info.name in self._threads:
            if info.name in self._stopping:
                return "stopping"
            return "running" if info.name in self._started else "starting"
        if info.name in self.waiting():
            return "queued"
        if info.status == "queued":  # no event yet: it never started, or died before its first event
            return "failed" if self._book.note(info.name) else "waiting"
        return info.status

    def is_own(self, name: str) -> bool:
        """Whether this training is a child process of this window."""
        return name in self._own

    # ---- inside

    def _next(self) -> None:
        if self._waiting and not self._own:
            run, resume = self._waiting.pop(0)
            run.stop.unlink(missing_ok=True)
            self._follow(run, start=True, resume=resume)

    def _follow(self, run: Run, *, start: bool, resume: bool = False) -> None:
        name = run.name
        self._book.follow(name)
        thread = Follower(TrainingChild(run, resume=resume, command=self._command), start=start, parent=self)
        self._threads[name] = thread
        if start:
            self._own.add(name)
        thread.events.connect(lambda events: self._take(name, events))
        thread.over.connect(lambda sentence: self._over(name, sentence))
        thread.start()
        self.changed.emit()

    def _take(self, name: str, events: tuple[Event, ...]) -> None:
        if name not in self._threads:
            return  # left meanwhile
        if any(isinstance(event, RunStarted) for event in events) and name not in self._started:
            self._started.add(name)
            self.changed.emit()
        self._book.add(name, events)

    def _over(self, name: str, sentence: str) -> None:
        thread = self._threads.pop(name, None)
        if thread is None:
            return
        thread.wait()
        thread.deleteLater()
        self._book.set_status(name, self._end_status(name, sentence))
        for names in (self._own, self._stopping, self._started):
            names.discard(name)
        if sentence:
            self._book.set_note(name, sentence)
        self._book.refresh()
        self._next()
        self.changed.emit()
        self.ended.emit(name)

    def _end_status(self, name: str, sentence: str) -> str:
        end = self._book.history(name).end
        if sentence:
            return "interrupted" if name in self._started else "failed"
        return end.reason if isinstance(end, RunFinished) else "failed"

    def _look_round(self) -> None:
        """Follow runs trained elsewhere, and queue the runs waiting on disk again. Search trials are left alone."""
        for info in self._book.infos():
            if info.status == "running" and info.name not in self._threads and not info.search:
                self._follow(info.run, start=False)
        if not self._requeued and self._book.infos():
            self._requeued = True
            for info in self._book.infos():
                if info.status == "queued" and not info.search and _still_waits(info):
                    self.add(info.run)


def _still_waits(info: RunInfo) -> bool:
    """Whether a run was left in the queue: no command line is about to start it, and no start has failed."""
    return time.time() - info.created > OURS_AFTER_SECONDS and not info.run.log.exists()
