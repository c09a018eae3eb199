"""The project's training queue as the window sees it: its runs train one at a time, each followed by its own thread."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from fkp_studio.background.follower import Follower
from fkp_studio.jobs.run_book import RunBook
from fkp_studio.jobs.training_child import TrainingChild
from training.errors import UserError
from training.processes.locks import Lock
from training.storage.runs.events import Event, RunFinished, RunStarted
from training.storage.runs.folder import request_stop
from training.storage.runs.listing import RunInfo
from training.storage.runs.queue import Claim, RunQueue
from training.storage.runs.queue_watch import attend, start_watch
from training.storage.runs.run import Run
from training.storage.runs.start import TRAIN

OURS_AFTER_SECONDS = 10.0  # a run waiting longer than this is not about to be started by a command line
LOOK_MS = 1000  # between looks at the queue while something waits


class TrainingQueue(QObject):
    """Starts the runs of the open project one after another, and follows those started elsewhere.

    The order is on disk (`RunQueue`), shared with other windows on this project and with the process that goes on
    when no window is open.
    """

    changed = Signal()  # the running or waiting runs changed
    ended = Signal(str)  # this run's training ended, for whatever reason
    failed = Signal(str)  # why the queue cannot be changed

    def __init__(self, book: RunBook, parent: QObject | None = None, *, command: Sequence[str] = TRAIN) -> None:
        super().__init__(parent)
        self._book = book
        self._command = command
        self._waiting: list[str] = []  # as last read
        self._present: Lock | None = None  # tells that a window is there to start runs
        self._watch: subprocess.Popen[bytes] | None = None  # goes on when no window is
        self._threads: dict[str, Follower] = {}
        self._own: set[str] = set()  # runs in `_threads` whose process is our child
        self._stopping: set[str] = set()
        self._started: set[str] = set()  # runs whose trainer has emitted RunStarted
        self._requeued = self._closed = False
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.look)
        book.listed.connect(self._look_round)

    # ---- requests

    def add(self, *runs: Run, resume: bool = False) -> None:
        """Add runs to the end of the queue."""
        names = [run.name for run in runs if run.name not in self._threads]
        if names:
            self._change(lambda queue: queue.add(names, resume=resume))
            self.look()

    def stop(self, name: str) -> None:
        """Ask a training to stop, keeping its best model; a waiting run is removed from the queue, for good."""
        folder = self._book.folder
        if folder is not None and (name in self._threads or name in self._waiting):
            with suppress(FileNotFoundError):  # discarded meanwhile
                request_stop(Run(folder / name))
        if name in self._threads:
            self._stopping.add(name)
        self.remove(name)
        self.changed.emit()

    def kill(self, name: str) -> None:
        """Kill our training process if it does not react to `stop`."""
        if name in self._own:
            self._threads[name].kill()

    def remove(self, name: str) -> None:
        """Remove a run from the queue."""
        if name in self._waiting:
            self._change(lambda queue: queue.remove(name))
            self._waiting.remove(name)

    def leave(self) -> None:
        """Stop following all runs: trainings continue, and what waits trains after them, without this window."""
        threads, self._threads = self._threads, {}
        self._waiting = []
        self._timer.stop()
        for names in (self._own, self._stopping, self._started):
            names.clear()
        for thread in threads.values():
            thread.leave()
            thread.deleteLater()
        if self._present is not None:
            self._present.release()
            self._present = None
        self._watch = None
        self._requeued = False
        self.changed.emit()

    def close(self) -> None:
        """`leave`, for good: a list of runs that is still being read starts none."""
        self._closed = True
        self.leave()

    # ---- state

    def waiting(self) -> list[str]:
        """The names of the waiting runs, next first."""
        return list(self._waiting)

    def training(self) -> list[str]:
        """The names of the runs in training, ours first."""
        return sorted(self._threads, key=lambda name: name not in self._own)

    def status(self, info: RunInfo) -> str:
        """A run's status: that of RunInfo, or waiting, starting, stopping."""
        if info.name in self._threads:
            if info.name in self._stopping:
                return "stopping"
            return "running" if info.name in self._started else "starting"
        if info.name in self._waiting:
            return "queued"
        if info.status == "queued":  # no event yet: it never started, or died before its first event
            return "failed" if self._book.note(info.name) else "waiting"
        return info.status

    def is_own(self, name: str) -> bool:
        """Whether this training is a child process of this window."""
        return name in self._own

    # ---- inside

    def _queue(self) -> RunQueue | None:
        folder = self._book.folder
        return RunQueue(folder) if folder is not None and folder.is_dir() and not self._closed else None

    def _change(self, act: Callable[[RunQueue], None]) -> None:
        queue = self._queue()
        if queue is None:
            return
        try:
            act(queue)
        except UserError as error:
            self.failed.emit(str(error))

    def look(self) -> None:
        """Start the next run if none trains, follow one that another program started, and note what waits."""
        queue = self._queue()
        if queue is None:
            return
        self._present = self._present or attend(queue.runs_dir)
        if not self._own:
            self._start_next(queue)
        active = queue.active()
        if active and active not in self._threads:
            self._follow(Run(queue.runs_dir / active))
        waiting = [name for name in queue.waiting() if name not in self._threads]
        if waiting != self._waiting:
            self._waiting = waiting
            self.changed.emit()
        self._keep_looking(queue.runs_dir)

    def _start_next(self, queue: RunQueue) -> None:
        try:
            claim = queue.claim()
        except UserError as error:
            self.failed.emit(str(error))
        else:
            if claim is not None:
                self._follow(claim.run, claim=claim)

    def _keep_looking(self, runs_dir: Path) -> None:
        if not self._waiting:
            self._timer.stop()
            return
        self._timer.start()
        if self._watch is None or self._watch.poll() is not None:
            with suppress(OSError):  # without it, what waits goes on when the project is opened again
                self._watch = start_watch(runs_dir, self._command)

    def _follow(self, run: Run, *, claim: Claim | None = None) -> None:
        name = run.name
        self._book.follow(name)
        child = TrainingChild(run, claim=claim, command=self._command)
        thread = Follower(child, start=claim is not None, parent=self)
        self._threads[name] = thread
        if claim is not None:
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
        if name in self._own:  # whoever saw its end, and can say why, does not start it again
            self._change(lambda queue: queue.remove(name))
        for names in (self._own, self._stopping, self._started):
            names.discard(name)
        if sentence:
            self._book.set_note(name, sentence)
        self._book.refresh()
        self.look()
        self.changed.emit()
        self.ended.emit(name)

    def _end_status(self, name: str, sentence: str) -> str:
        end = self._book.history(name).end
        if sentence:
            return "interrupted" if name in self._started else "failed"
        return end.reason if isinstance(end, RunFinished) else "failed"

    def _look_round(self) -> None:
        """Follow runs trained elsewhere, and queue runs that were made but never queued. Search trials are left alone."""
        queue = self._queue()
        if queue is None or not self._book.infos():
            return
        for info in self._book.infos():
            if info.status == "running" and info.name not in self._threads and not info.search:
                self._follow(info.run)
        if not self._requeued:
            self._requeued = True
            lost = [info.run for info in self._book.infos() if info.status == "queued" and _still_waits(info)]
            self.add(*lost)
        self.look()


def _still_waits(info: RunInfo) -> bool:
    """Whether a run was made for the queue: no command line is about to start it, none was stopped, no start failed."""
    old = time.time() - info.created > OURS_AFTER_SECONDS
    return old and not info.search and not info.run.log.exists() and not info.run.stop.exists()
