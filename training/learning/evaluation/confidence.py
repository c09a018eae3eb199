"""Evaluates the confidences of a run's best model on a split of its project, against the current labels."""

from __future__ import annotations

import numpy as np

from training.errors import UserError
from training.faces.images.reading import resize_points
from training.faces.measures.error_curve import ErrorCurve
from training.faces.measures.reliability import Judged, judge
from training.learning.evaluation.evaluate import load_for
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import SPLITS
from training.storage.runs.inputs.data import load_readable
from training.storage.runs.run import Run

_CHUNK = 512


def judge_run(
    project: Project, run: Run, split: str = "val", *, device: str = "auto", adjusted: bool = True
) -> tuple[Judged, ErrorCurve]:
    """Confidence and error of every point of the split that a person or the source labelled, and the model's error
    curve.

    adjusted: as in evaluate_run. Raises UserError.
    """
    predictor = load_for(project, run, device, adjusted=adjusted)
    index = project.index()
    chosen = np.flatnonzero(index.splits == SPLITS.index(split))
    side = predictor.info.config.network.input_size
    parts = []
    for start in range(0, len(chosen), _CHUNK):
        rows = chosen[start : start + _CHUNK]
        images, gone = load_readable(project, index.ids[rows], predictor.info.config)
        rows = rows[~np.isin(index.ids[rows], list(gone))]
        if not len(rows):
            continue
        points, confidences = predictor.predict(images, predictor.schemes_of(project.path, index.ids[rows]))
        sizes = np.stack([index.widths[rows], index.heights[rows]], axis=1)
        points = resize_points(points, (side, side), sizes)
        target = project.labels(index.ids[rows]).vouched_points
        parts.append(judge(points, confidences, target, project.schema, sizes=sizes))
    if not any(len(part.errors) for part in parts):
        raise UserError(
            f"The project {project.name} has no labelled point in its {split} split whose image can be read."
        )
    found = Judged(
        np.concatenate([p.confidences for p in parts]),
        np.concatenate([p.errors for p in parts]),
        sum(p.faces for p in parts),
    )
    return found, predictor.calibration.errors
