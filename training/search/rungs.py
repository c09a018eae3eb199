"""The error of a run at fixed fractions of its budget, so that runs with different epoch lengths can be compared."""

from __future__ import annotations

import math

from training.storage.runs.events import EpochDone, Event, Progress
from training.storage.runs.settings.config import RunConfig

STEPS = 10  # rungs: every tenth of the budget


class Rungs:
    """Fed with a run's events, reports once per rung k (k / STEPS of the budget) the best val RMSE known by then.

    Only measurements taken before a rung count for it; an epoch that ends slightly later counts for the next.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._next = 1
        self._best = math.inf

    def feed(self, event: Event) -> list[tuple[int, float]]:
        """The rungs passed with this event, and the error at each; rungs before the first epoch's end have none."""
        if isinstance(event, EpochDone):
            done = self._fraction(event)
            before = self._pass(done, including=False)
            if math.isfinite(event.rmse):
                self._best = min(self._best, event.rmse)
            return before + self._pass(done, including=True)
        return self._pass(event.done, including=True) if isinstance(event, Progress) else []

    def _pass(self, done: float, *, including: bool) -> list[tuple[int, float]]:
        passed = []
        while self._next < STEPS and _reached(done, self._next / STEPS, including=including):
            if math.isfinite(self._best):
                passed.append((self._next, self._best))
            self._next += 1
        return passed

    def _fraction(self, event: EpochDone) -> float:
        config = self._config
        by_epochs = event.epoch / config.budget.epochs if config.budget.epochs else 0.0
        by_minutes = event.seconds / (60 * config.budget.minutes) if config.budget.minutes else 0.0
        return max(by_epochs, by_minutes)


def _reached(done: float, rung: float, *, including: bool) -> bool:
    return done >= rung - 1e-9 if including else done > rung + 1e-9
