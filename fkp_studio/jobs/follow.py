"""The thread that starts the training process of one run, or follows one started elsewhere."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QThread, Signal

from fkp_studio.jobs import child
from training.start import TRAIN, start_training
from training.storage.runs import folder as runs
from training.storage.runs.events import CheckpointSaved, EpochDone, Event, RunFailed, RunFinished, RunStarted
from training.storage.runs.run import Run

POLL_SECONDS = 0.1
LOCK_POLLS = 10  # the lock of a run started elsewhere is tested at every tenth poll only
_LEAVE_MS = 5000  # longest wait for the thread to end


class TrainingThread(QThread):
    """Follows RUN_DIR/events.jsonl and emits new events, about ten times per second, until the run ends.

    With `start` it first emits the existing events, then starts the training process; without, it follows a run whose
    lock another process holds. `leave` ends the thread but not the training.
    """

    events = Signal(object)  # tuple[Event, ...], never empty
    over = Signal(str)  # the run ended: "" if it reported its end itself, else a sentence on what happened

    def __init__(
        self,
        run: Run,
        *,
        start: bool,
        resume: bool = False,
        command: Sequence[str] = TRAIN,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.training = run
        self.setObjectName(f"training {run.name}")
        self._start = start
        self._resume = resume
        self._command = command
        self._left = threading.Event()
        self._kill = threading.Event()
        self._place = Place()
        self._best_epoch = self._saved_epoch = 0  # the best so far, and the one whose model is on disk
        self._ended = False

    def leave(self) -> None:
        """Stop following; the training continues. Returns when the thread has ended."""
        self._left.set()
        self.wait(_LEAVE_MS)

    def kill(self) -> None:
        """Kill our training process; the model of its last checkpoint stays."""
        self._kill.set()

    def run(self) -> None:
        """The thread's body: start, follow, report the end."""
        process = None
        if self._start:
            self._read()
            self._ended = False  # ignore the end of an earlier part of the run
            try:
                process = start_training(self.training, resume=self._resume, command=self._command)
            except OSError as error:
                self.over.emit(f"The training process can't be started: {error.strerror or error}.")
                return
        self._follow(process)
        if process is not None and process.returncode is None:
            child.let_go(process)

    def _follow(self, process: subprocess.Popen[bytes] | None) -> None:
        polls = 0
        while not self._left.is_set():
            gone = self._is_gone(process, polls)  # checked before reading, so that no event is missed
            self._read()
            if gone:
                self.over.emit("" if self._ended else self._describe(process))
                return
            polls += 1
            self._left.wait(POLL_SECONDS)

    def _is_gone(self, process: subprocess.Popen[bytes] | None, polls: int) -> bool:
        if process is None:
            return polls % LOCK_POLLS == 0 and not runs.is_running(self.training)
        if self._kill.is_set():
            process.kill()
        return process.poll() is not None

    def _describe(self, process: subprocess.Popen[bytes] | None) -> str:
        code = None if process is None else process.returncode
        killed_by_us = self._kill.is_set()
        words = child.last_words(self.training)
        return child.describe_end(code, kept_epoch=self._saved_epoch, log_end=words, asked=killed_by_us)

    def _read(self) -> None:
        path = self.training.events
        try:
            if not self._place.is_there(path):  # a resume has truncated the file to its last checkpoint
                self._place = Place()
            found, offset = runs.read_events(self.training, after=self._place.offset)
            self._place = Place.at(path, offset) if offset != self._place.offset else self._place
        except OSError:  # the folder is being removed, or a network drive is briefly away: try at the next poll
            return
        for event in found:
            self._note(event)
        if found:
            self.events.emit(tuple(found))

    def _note(self, event: Event) -> None:
        if isinstance(event, EpochDone) and event.best:
            self._best_epoch = event.epoch
        elif isinstance(event, CheckpointSaved):
            self._saved_epoch = self._best_epoch
        elif isinstance(event, (RunFinished, RunFailed)):
            self._ended = True
        elif isinstance(event, RunStarted):
            self._ended = False


@dataclass(frozen=True)
class Place:
    """How far a growing file was read, with the bytes before, which reveal a truncation and rewrite."""

    offset: int = 0
    before: bytes = b""

    @classmethod
    def at(cls, path: Path, offset: int) -> Place:
        """The place at `offset` of the file in its current state."""
        return cls(offset, _bytes_before(path, offset))

    def is_there(self, path: Path) -> bool:
        """Whether the file still has the same bytes before this place."""
        return self.offset == 0 or _bytes_before(path, self.offset) == self.before


def _bytes_before(path: Path, offset: int, *, count: int = 256) -> bytes:
    with path.open("rb") as file:
        start = max(0, offset - count)
        file.seek(start)
        return file.read(offset - start)
