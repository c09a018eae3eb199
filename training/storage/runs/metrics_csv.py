"""Writes `metrics.csv`: one line per epoch, for spreadsheets and other programs."""

from __future__ import annotations

import csv
from collections.abc import Iterable

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
        with self.path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(COLUMNS)
        for event in past:
            self.write(event)

    def write(self, event: Event) -> None:
        """Append the event if it is an epoch; others are ignored."""
        if isinstance(event, EpochDone):
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow([_text(getattr(event, name)) for name in COLUMNS])


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
