"""Finds the faces with a run's largest errors at one keypoint. For a background thread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.faces.measures.metrics import point_errors
from training.storage.project.identity import Place
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import SPLITS
from training.storage.project.tables.predictions import predicted_ids

MOST = 100
_PART = 2048


def worst_faces(path: Place, run: str, keypoint: int, *, cancelled: Callable[[], bool]) -> np.ndarray:
    """At most MOST ids, worst first: of val, or of all splits if val has no label with a prediction.

    Faces are ranked by the distance of prediction and label as a fraction of the image's larger side.
    """
    with Project.open(path, read_only=True) as project:
        index = project.index()
        predicted = predicted_ids(project.database, run)
        predicted = predicted[index.kept[predicted - 1]]
        sides = np.maximum(index.widths, index.heights)[predicted - 1]
        errors = np.full(len(predicted), np.nan)
        for start in range(0, len(predicted), _PART):
            if cancelled():
                break
            ids = predicted[start : start + _PART]
            labels, points = project.labels(ids), project.predictions(run, ids).points
            errors[start : start + _PART] = point_errors(points[:, [keypoint]], labels.vouched_points[:, [keypoint]])[
                :, 0
            ]
    val = np.isfinite(errors) & (index.splits[predicted - 1] == SPLITS.index("val"))
    known = val if val.any() else np.isfinite(errors)
    share = (errors / np.maximum(sides, 1))[known]
    worst: np.ndarray = predicted[known][np.argsort(-share, kind="stable")[:MOST]]
    return worst
