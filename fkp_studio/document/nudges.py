"""Merges small moves of one point in quick succession (a held arrow key) into one undo step."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from training.faces.labels.labels import Labels

STEP = 1.001  # px
SECONDS = 1.0


@dataclass(frozen=True)
class _Last:
    step: int
    sample_id: int
    keypoint: int
    time: float


class Nudges:
    """Remembers the last placement and decides whether the next one belongs to its step."""

    def __init__(self) -> None:
        self._last: _Last | None = None

    def placed(self, step: int, sample_id: int, keypoint: int) -> None:
        """Note that a point was placed or moved in this step of the journal."""
        self._last = _Last(step, sample_id, keypoint, time.monotonic())

    def forget(self) -> None:
        """Make the next move a new step, because something else happened."""
        self._last = None

    def step_for(self, sample_id: int, keypoint: int, before: Labels, after: Labels) -> int | None:
        """The step that a move belongs to, None for a new one. before, after: labels of one sample [1, K]."""
        last = self._last
        if last is None or (last.sample_id, last.keypoint) != (sample_id, keypoint):
            return None
        moved = float(np.hypot(*(after.points[0, keypoint] - before.points[0, keypoint])))
        return last.step if moved <= STEP and time.monotonic() - last.time < SECONDS else None
