"""The guided walk over the points that nobody has looked at: which is next, and what to say. No Qt."""

from __future__ import annotations

import numpy as np

from training.faces.labels.labels import PointState


def next_missing(states: np.ndarray, start: int = 0) -> int:
    """The first unset keypoint at or after `start` in schema order, going round; -1 where the face is complete."""
    missing = np.flatnonzero(states == PointState.UNSET)
    if not len(missing):
        return -1
    later = missing[missing >= start]
    return int(later[0] if len(later) else missing[0])


def progress(states: np.ndarray) -> tuple[int, int]:
    """How many keypoints somebody has decided on, of how many."""
    return int((states != PointState.UNSET).sum()), len(states)
