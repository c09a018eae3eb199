"""Evaluates a run's errors by head pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.errors import UserError
from training.faces.labels.head_poses import read_yaw
from training.faces.measures.metrics import point_errors
from training.faces.measures.pose_balance import PoseError, error_by_pose, pose_edges
from training.learning.evaluation.evaluate import SPLITS, load_for, predict_samples
from training.storage.project.project import Project
from training.storage.runs.inputs.balance import project_poses
from training.storage.runs.run import Run

YAW, COEFFICIENT = "yaw in degrees", "pose in standard deviations"


@dataclass(frozen=True)
class ErrorsByPose:
    """pose: the quantity that is binned. bins: mean point error of their faces, as a fraction of the image's larger
    side.

    left_out: number of faces without a pose or a label.
    """

    pose: str
    bins: tuple[PoseError, ...]
    left_out: int


def evaluate_by_pose(
    project: Project, run: Run, split: str = "val", *, bins: int, device: str = "auto", adjusted: bool = True
) -> ErrorsByPose:
    """Bin the errors of a run's best model on a split by the true yaw where known, else by the pose computed from the
    labelled points with the components of the train split. adjusted: as in evaluate_run. Raises UserError."""
    predictor = load_for(project, run, device, adjusted=adjusted)
    index = project.index()
    chosen = index.splits == SPLITS.index(split)
    ids, sizes = index.ids[chosen], np.stack([index.widths, index.heights], axis=1).astype(np.int32)[chosen]
    if not len(ids):
        raise UserError(f"The project {project.name} has no samples in its {split} split.")
    pred, unreadable = predict_samples(predictor, project, ids, sizes=sizes)
    read = ~np.isin(ids, list(unreadable))
    labels = project.labels(ids[read])
    errors = _mean(point_errors(pred, labels.vouched_points)) / sizes[read].max(axis=1)
    pose, name = _poses(project, ids[read], labels.points, labels.mask)
    used = np.isfinite(errors) & np.isfinite(pose)
    if not used.any():
        raise UserError(f"None of the {len(ids):,} faces has both labels and a pose that can be computed from them.")
    found = error_by_pose(errors, pose, pose_edges(pose[used], bins=bins))
    return ErrorsByPose(name, tuple(found), len(ids) - int(used.sum()))


def _poses(project: Project, ids: np.ndarray, points: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, str]:
    yaw = read_yaw(project.path, project.names(ids))
    if yaw is not None and np.isfinite(yaw).any():
        return yaw, YAW
    return project_poses(project).pose.of(points, mask), COEFFICIENT


def _mean(errors: np.ndarray) -> np.ndarray:
    """[N]: mean over each face's labelled points; NaN without any."""
    there = np.isfinite(errors)
    total = np.where(there, errors, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return np.where(there.any(axis=1), total, np.nan)
