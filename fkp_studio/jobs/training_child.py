"""The training process of one run, as its follower sees it: its events, and its end as a sentence."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence

from fkp_studio.background.follower import Ending
from training.processes.children import KILLED, last_words
from training.processes.tail import Tail, parsed
from training.storage.runs.events import (
    CheckpointSaved,
    EpochDone,
    Event,
    RunFailed,
    RunFinished,
    RunStarted,
    from_line,
)
from training.storage.runs.folder import is_running
from training.storage.runs.queue import Claim, RunQueue
from training.storage.runs.run import Run
from training.storage.runs.start import TRAIN, start_claimed

_LONGEST = 300  # characters of the log's last line, which has to fit into a table row


class TrainingChild:
    """Trains a run and writes RUN_DIR/events.jsonl, which a resume truncates to the last checkpoint."""

    title = "training process"

    def __init__(self, run: Run, *, claim: Claim | None = None, command: Sequence[str] = TRAIN) -> None:
        """claim: the turn to train, of a run to be started here."""
        self.training = run
        self._claim, self._command = claim, command
        self._tail = Tail(run.events)
        self._best_epoch = self._saved_epoch = 0  # the best so far, and the one whose model is on disk
        self._ended = False

    def start(self) -> subprocess.Popen[bytes]:
        if self._claim is None:
            raise ValueError(f"{self.training.name} was not claimed, so it is not started here")
        self._ended = False  # ignore the end of an earlier part of the run
        return start_claimed(self._claim, command=self._command)

    def is_alive(self) -> bool:
        return is_running(self.training) or RunQueue(self.training.path.parent).active() == self.training.name

    def read(self) -> list[Event]:
        found = parsed(self._tail.read(), from_line)
        for event in found:
            self._note(event)
        return found

    def describe(self, ending: Ending) -> str:
        if self._ended:
            return ""
        said = last_words(self.training.log)[:_LONGEST]
        return describe_end(ending.code, kept_epoch=self._saved_epoch, log_end=said, asked=ending.killed)

    def _note(self, event: Event) -> None:
        if isinstance(event, EpochDone) and event.best:
            self._best_epoch = event.epoch
        elif isinstance(event, CheckpointSaved):
            self._saved_epoch = self._best_epoch
        elif isinstance(event, (RunFinished, RunFailed)):
            self._ended = True
        elif isinstance(event, RunStarted):
            self._ended = False


def describe_end(code: int | None, *, kept_epoch: int, log_end: str = "", asked: bool = False) -> str:
    """Why a training ended without reporting its end, as a sentence.

    code: as Popen.returncode; None if it was not our child. kept_epoch: of the saved model, 0 for none.
    asked: whether the user forced it to stop.
    """
    kept = f"the model of epoch {kept_epoch} is kept" if kept_epoch else "no model was saved yet"
    if asked:
        return f"Forced to stop; {kept}."
    if code is None:
        return f"The training ended unexpectedly (killed, or the computer was switched off); {kept}. Resume?"
    if code == KILLED:
        return f"The training process was killed (signal 9), probably out of memory; {kept}. Resume?"
    if code < 0:
        return f"The training process crashed ({_signal_name(-code)}); {kept}. See the log."
    said = f" Its last message: {log_end}" if log_end else ""
    return f"The training process ended with exit code {code}; {kept}.{said}"


def _signal_name(number: int) -> str:
    try:
        return f"signal {number}, {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"
