"""Writes `metrics.csv`: one line per epoch, for spreadsheets and other programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pandas as pd

from training.storage.runs.events import EpochDone, Event
from training.storage.runs.run import Run

COLUMNS = (
    "epoch",
    "seconds",
    "train_loss",
    "val_loss",
    "rmse",
    "nme",
    "normaliser",
    "auc",
    "failure_rate",
    "learning_rate",
    "images_per_second",
    "best",
)


class MetricsFile:
    """Appends a line per epoch to the run's metrics.csv."""

    def __init__(self, run: Run, past: Iterable[Event] = ()) -> None:
        """Start a new file with the epochs among past events."""
        self.path = run.metrics
        self._put([event for event in past if isinstance(event, EpochDone)], mode="w")

    def write(self, event: Event) -> None:
        """Append the event if it is an epoch; others are ignored."""
        if isinstance(event, EpochDone):
            self._put([event], mode="a")

    def _put(self, epochs: list[EpochDone], *, mode: Literal["w", "a"]) -> None:
        table = pd.DataFrame([[getattr(epoch, name) for name in COLUMNS] for epoch in epochs], columns=list(COLUMNS))
        table.to_csv(
            self.path,
            mode=mode,
            header=mode == "w",
            index=False,
            float_format="%.6g",
            na_rep="nan",
            lineterminator="\r\n",
        )
