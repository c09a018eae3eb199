"""Compares the stored predictions of a run with the labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.faces.measures.reliability import Judged, judge
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import SPLITS

_BLOCK = 1024  # samples read at once


def judge_stored(
    project: Project, run: str, split: str = "val", *, cancelled: Callable[[], bool] = lambda: False
) -> Judged:
    """A run's stored predictions against the labels that come from a person or the source."""
    index = project.index()
    chosen = np.flatnonzero(index.splits == SPLITS.index(split))
    parts = [Judged(np.zeros(0, np.float32), np.zeros(0))]
    for start in range(0, len(chosen), _BLOCK):
        if cancelled():
            break
        rows = chosen[start : start + _BLOCK]
        labels, found = project.labels(index.ids[rows]), project.predictions(run, index.ids[rows])
        target = labels.vouched_points
        sizes = np.stack([index.widths[rows], index.heights[rows]], axis=1)
        parts.append(judge(found.points.astype(np.float64), found.confidences, target, project.schema, sizes=sizes))
    return Judged(
        np.concatenate([p.confidences for p in parts]),
        np.concatenate([p.errors for p in parts]),
        sum(p.faces for p in parts),
    )
