"""The guided walk over the unset points: the next point, and the progress. No Qt."""

from __future__ import annotations

import numpy as np

from training.faces.labels.labels import PointState


def next_missing(states: np.ndarray, start: int = 0) -> int:
    """The first unset keypoint at or after `start` in schema order, wrapping around; -1 if the face is complete."""
    missing = np.flatnonzero(states == PointState.UNSET)
    if not len(missing):
        return -1
    later = missing[missing >= start]
    return int(later[0] if len(later) else missing[0])


def progress(states: np.ndarray) -> tuple[int, int]:
    """The number of keypoints that are not unset, and the number of all."""
    return int((states != PointState.UNSET).sum()), len(states)
