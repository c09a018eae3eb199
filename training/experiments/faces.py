"""The faces an experiment is measured on, and how far each run's points are off on each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.errors import UserError
from training.experiments.report.measures import Faces
from training.faces.labels.head_poses import read_yaw
from training.faces.measures.metrics import normaliser, point_errors
from training.faces.measures.pose_balance import pose_components
from training.learning.evaluation.evaluate import SPLITS, load_for, predict_faces
from training.learning.inference.predictor import Predictor
from training.learning.models.staged import StagedNet
from training.storage.project.project import Project

NORMALISERS = ("box", "interocular", "interpupil")
TURNED_DEGREES = 30.0  # of true yaw: a face that looks far to the side
TURNED_SHARE = 0.2  # without true yaw: the faces with the largest pose coefficients to either side
DEGREES, COEFFICIENT = "yaw in degrees", "pose coefficient in standard deviations"


def load_faces(project: Project, split: str) -> tuple[Faces, np.ndarray]:
    """The labelled faces of a split and their labels [N, K, 2], px, NaN where there is none. Raises UserError without any."""
    index = project.index()
    ids = index.ids[index.splits == SPLITS.index(split)]
    target = project.labels(ids).vouched_points
    labelled = np.isfinite(target).all(axis=-1).any(axis=1)
    if not labelled.any():
        raise UserError(
            f"The {split} split of {project.name} has no labelled face to measure on; choose another split."
        )
    ids, target = ids[labelled], target[labelled]
    sizes = np.stack([index.widths, index.heights], axis=1)[ids - 1].astype(np.int32)
    lengths = {kind: normaliser(target, kind, project.schema, sizes=sizes) for kind in NORMALISERS}
    pose, name = _pose(project, ids, target)
    faces = Faces(
        ids, _group_numbers(project, ids), sizes[:, 0].astype(np.float64), lengths, pose, name, _turned(pose, name)
    )
    return faces, target  # fmt: skip


def _group_numbers(project: Project, ids: np.ndarray) -> np.ndarray:
    """A number for each group; a face without one is alone."""
    texts = [group or f"\0{i}" for i, group in zip(ids.tolist(), project.groups(ids), strict=True)]
    return np.unique(np.array(texts, dtype=object), return_inverse=True)[1]


def _pose(project: Project, ids: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, str]:
    """True yaw where the project knows it, else the coefficient of PDB fitted on the train split's labels."""
    yaw = read_yaw(project.path, project.names(ids))
    if yaw is not None and np.isfinite(yaw).any():
        return yaw, DEGREES
    index = project.index()
    train = project.labels(index.ids[index.splits == 0])
    try:
        model = pose_components(train.points, train.mask, flip=project.schema.flip)
    except UserError:  # too few or too simple labels to tell a pose: then there is no pose to plot
        return np.full(len(ids), np.nan), COEFFICIENT
    return model.of(target, np.isfinite(target).all(axis=-1)), COEFFICIENT


def _turned(pose: np.ndarray, name: str) -> np.ndarray:
    known = np.isfinite(pose)
    if not known.any():
        return known
    size = np.where(known, np.abs(pose), 0.0)
    limit = TURNED_DEGREES if name == DEGREES else np.quantile(size[known], 1 - TURNED_SHARE)
    return size >= limit


def distances(project: Project, run_dir: Path, faces: Faces, target: np.ndarray) -> list[np.ndarray]:
    """Of each stage of a run's network, the last being the whole, how far its points are off: [N, K] px, NaN without a label.

    A picture that cannot be read has NaN for all points.
    """
    predictor = load_for(project, run_dir, "auto", adjusted=False)
    found = [point_errors(_points(predictor, project, faces), target)]
    if isinstance(predictor.model, StagedNet):
        predictor.model.begin(1)
        found.insert(0, point_errors(_points(predictor, project, faces), target))
    return found


def _points(predictor: Predictor, project: Project, faces: Faces) -> np.ndarray:
    index = project.index()
    sizes = np.stack([index.widths, index.heights], axis=1)[faces.ids - 1].astype(np.int32)
    return predict_faces(predictor, project, faces.ids, sizes=sizes)


def turned_words(faces: Faces) -> str:
    """Which faces count as turned far to the side, for people."""
    count = int(faces.turned.sum())
    if not count:
        return ""
    if faces.pose_name == DEGREES:
        return f"{count:,} faces with a true yaw of {TURNED_DEGREES:g} degrees or more"
    return f"the {count:,} faces ({TURNED_SHARE:.0%}) with the largest pose coefficient to either side"


def pose_edges(faces: Faces, bins: int = 9) -> np.ndarray:
    """Bounds [bins + 1] of equally wide bins over the poses, symmetrical about 0, without the farthest 1 %."""
    size = np.abs(faces.pose[np.isfinite(faces.pose)])
    reach = float(np.quantile(size, 0.99)) if size.size else 1.0
    return np.linspace(-reach, reach, bins + 1)
