"""The confidences of a run's best model on a split of its project, against the labels as they are now."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.data.pictures import resize_points
from training.error_curve import ErrorCurve
from training.errors import UserError
from training.predict import Predictor
from training.project.project import Project
from training.reliability import SPLITS, Judged, judge
from training.rundata import load_readable

_CHUNK = 512


def judge_run(
    project: Project, run_dir: Path, split: str = "val", *, device: str = "auto"
) -> tuple[Judged, ErrorCurve]:
    """Every labelled point of the split with its confidence and its error, and what the confidences mean. Raises UserError."""
    predictor = Predictor.load(run_dir, device)
    if predictor.schema.keypoints != project.schema.keypoints:
        raise UserError(f"The model of {run_dir.name} has other keypoints than the project {project.name}.")
    index = project.index()
    chosen = np.flatnonzero(index.splits == SPLITS.index(split))
    side = predictor.info.config.input_size
    parts = []
    for start in range(0, len(chosen), _CHUNK):
        rows = chosen[start : start + _CHUNK]
        pictures, gone = load_readable(project, index.ids[rows], predictor.info.config)
        rows = rows[~np.isin(index.ids[rows], list(gone))]
        if not len(rows):
            continue
        points, confidences = predictor.predict(pictures)
        labels = project.labels(index.ids[rows])
        sizes = np.stack([index.widths[rows], index.heights[rows]], axis=1)
        target = np.where(labels.mask[..., None], labels.points, np.nan)
        points = resize_points(points, (side, side), sizes)
        parts.append(judge(points, confidences, target, project.schema, sizes=sizes))
    if not any(len(part.errors) for part in parts):
        raise UserError(
            f"The project {project.name} has no labelled point in its {split} split whose picture can be read."
        )
    found = Judged(
        np.concatenate([p.confidences for p in parts]),
        np.concatenate([p.errors for p in parts]),
        sum(p.faces for p in parts),
    )
    return found, predictor.calibration.errors
