"""The history of a run, built from its events: curves, progress, warnings and end. Pure data, no Qt."""

from __future__ import annotations

import numpy as np

from training.storage.runs.events import (
    EpochDone,
    Event,
    Progress,
    RunFailed,
    RunFinished,
    RunStarted,
    Trouble,
)
from training.storage.runs.folder import read_events
from training.storage.runs.run import Run

MOST_BATCHES = 4096  # batch losses kept per run; beyond this every second one is dropped


class RunHistory:
    """The curves of one run so far. A resume removes the epochs and batches that it repeats."""

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.progress: Progress | None = None  # of the epoch under way
        self.epochs: list[EpochDone] = []
        self.troubles: list[Trouble] = []
        self.end: RunFinished | RunFailed | None = None
        self._batches: list[tuple[float, float]] = []
        self._stride = 1
        self._skipped = 0

    @property
    def last(self) -> EpochDone | None:
        """The last evaluated epoch."""
        return self.epochs[-1] if self.epochs else None

    @property
    def best(self) -> EpochDone | None:
        """The epoch whose model is kept."""
        return next((e for e in reversed(self.epochs) if e.best), None)

    @property
    def batch_count(self) -> int:
        """The number of batches kept; it grows until it is halved at MOST_BATCHES."""
        return len(self._batches)

    def batches(self, *, most: int = MOST_BATCHES) -> np.ndarray:
        """float64 [B, 2], at most `most` rows: position in epochs (2.5 is the middle of the third) and loss."""
        step = max(1, -(-len(self._batches) // most))
        return np.array(self._batches[::step], np.float64).reshape(-1, 2)

    def add(self, event: Event) -> None:
        """Add one event."""
        match event:
            case RunStarted():
                self._begin(event)
            case Progress():
                self.progress = event
                self._add_batch(event)
            case EpochDone():
                self.epochs.append(event)
            case Trouble():
                self.troubles = [t for t in self.troubles if t.kind != event.kind] + [event]
            case RunFinished() | RunFailed():
                self.end, self.progress = event, None

    def _begin(self, event: RunStarted) -> None:
        self.started, self.progress, self.end = event, None, None
        self.epochs = [e for e in self.epochs if e.epoch <= event.epoch]
        self._batches = [b for b in self._batches if b[0] < event.epoch + 1]
        if event.epoch == 0:
            self.troubles = []

    def _add_batch(self, event: Progress) -> None:
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        place = event.epoch - 1 + event.batch / max(event.batches, 1)
        self._batches.append((place, event.loss))
        if len(self._batches) >= MOST_BATCHES:
            self._batches = self._batches[::2]
            self._stride *= 2


def read_history(run: Run) -> RunHistory:
    """Read the history of a run that is not being followed. For a background thread."""
    history = RunHistory()
    for event in read_events(run)[0]:
        history.add(event)
    return history
