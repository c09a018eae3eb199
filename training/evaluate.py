"""The measures of a run's best model on a split of its project, with the labels as they are now."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.data.pictures import resize_points
from training.errors import UserError
from training.metrics import Evaluation, evaluate
from training.predict import Predictor
from training.project.project import Project
from training.rundata import load_pictures

_CHUNK = 512
SPLITS = ("train", "val", "test")


def evaluate_run(project: Project, run_dir: Path, split: str = "val", *, device: str = "auto") -> Evaluation:
    """Measure the run's model on a split. left_out counts the samples that do not take part and says why. Raises UserError."""
    if split not in SPLITS:
        raise UserError(f"The splits are {', '.join(SPLITS)}, not {split!r}.")
    predictor = Predictor.load(run_dir, device)
    if predictor.info.schema.keypoints != project.schema.keypoints:
        raise UserError(f"The model of {run_dir.name} has other keypoints than the project {project.name}.")
    index = project.index()
    chosen = index.splits == SPLITS.index(split)
    if not chosen.any():
        raise UserError(f"The project {project.name} has no samples in its {split} split.")
    ids = index.ids[chosen]
    sizes = np.stack([index.widths, index.heights], axis=1)[chosen].astype(np.int32)
    labels = project.labels(ids)
    target = np.where(labels.mask[..., None], labels.points, np.nan)
    return evaluate(predict_ids(predictor, project, ids, sizes=sizes), target, project.schema, sizes=sizes)


def predict_ids(predictor: Predictor, project: Project, ids: np.ndarray, *, sizes: np.ndarray) -> np.ndarray:
    """Points [N, K, 2] of samples in px of the original pictures; sizes [N, 2]: their width and height."""
    side = predictor.info.config.input_size
    parts = []
    for start in range(0, len(ids), _CHUNK):
        rows = slice(start, start + _CHUNK)
        points = predictor.predict_points(load_pictures(project, ids[rows], predictor.info.config))
        parts.append(resize_points(points, (side, side), sizes[rows]))
    return np.concatenate(parts)
