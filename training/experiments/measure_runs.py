"""Measures an experiment's finished runs: the faces of a split, and each run's point errors on them. Loads torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from training.errors import UserError
from training.experiments.papers.definition import Experiment
from training.experiments.report.measures import TURNED_DEGREES, Faces
from training.experiments.report.results import Results, collect
from training.faces.labels.head_poses import read_yaw
from training.faces.measures.metrics import normaliser, point_errors
from training.faces.measures.pose_balance import pose_components
from training.learning.evaluation.evaluate import SPLITS, load_for, predict_faces
from training.learning.inference.device import set_threads
from training.learning.inference.predictor import Predictor
from training.learning.models.staged.base import StagedNet
from training.storage.project.project import Project
from training.storage.runs.listing import RunInfo
from training.storage.runs.run import Run

NORMALISERS = ("box", "interocular", "interpupil")
TURNED_SHARE = 0.2  # without true yaw: the share of faces with the largest absolute pose coefficients
DEGREES, COEFFICIENT = "yaw in degrees", "pose coefficient in standard deviations"


def load_faces(project: Project, split: str) -> tuple[Faces, np.ndarray]:
    """The labelled faces of a split and their labels [N, K, 2] px, NaN if unset. Raises UserError if there are none."""
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
    return faces, target


def _group_numbers(project: Project, ids: np.ndarray) -> np.ndarray:
    """A number per group; a face without a group gets its own."""
    texts = [group or f"\0{i}" for i, group in zip(ids.tolist(), project.groups(ids), strict=True)]
    return np.unique(np.array(texts, dtype=object), return_inverse=True)[1]


def _pose(project: Project, ids: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, str]:
    """True yaw if the project has it, else the PDB coefficient fitted on the train split's labels."""
    yaw = read_yaw(project.path, project.names(ids))
    if yaw is not None and np.isfinite(yaw).any():
        return yaw, DEGREES
    index = project.index()
    train = project.labels(index.ids[index.splits == 0])
    try:
        model = pose_components(train.points, train.mask, flip=project.schema.flip)
    except UserError:  # too few or too simple labels for a pose: nothing to plot
        return np.full(len(ids), np.nan), COEFFICIENT
    return model.of(target, np.isfinite(target).all(axis=-1)), COEFFICIENT


def _turned(pose: np.ndarray, name: str) -> np.ndarray:
    known = np.isfinite(pose)
    if not known.any():
        return known
    size = np.where(known, np.abs(pose), 0.0)
    limit = TURNED_DEGREES if name == DEGREES else np.quantile(size[known], 1 - TURNED_SHARE)
    return size >= limit


def distances(project: Project, run: Run, faces: Faces, target: np.ndarray) -> list[np.ndarray]:
    """The point errors of each stage of a run's network (the last is the whole): [N, K] px, NaN without a label.

    All points of an unreadable image are NaN.
    """
    predictor = load_for(project, run, "auto", adjusted=False)
    found = [point_errors(_points(predictor, project, faces), target)]
    if isinstance(predictor.model, StagedNet):
        predictor.model.begin(1)
        found.insert(0, point_errors(_points(predictor, project, faces), target))
    return found


def _points(predictor: Predictor, project: Project, faces: Faces) -> np.ndarray:
    index = project.index()
    sizes = np.stack([index.widths, index.heights], axis=1)[faces.ids - 1].astype(np.int32)
    return predict_faces(predictor, project, faces.ids, sizes=sizes)


Key = tuple[str, int]


def measure(
    experiment: Experiment,
    project: Project,
    split: str,
    *,
    runs: Mapping[Key, RunInfo],
    failed: Mapping[Key, str],
    report: Callable[[float], None],
) -> Results:
    """The results of the runs (by trained arm and seed) on the split's faces. Raises UserError if it has no labels."""
    set_threads(1)  # on a busy machine, several threads spend more time waiting for each other than they save
    faces, target = load_faces(project, split)
    errors: dict[Key, np.ndarray] = {}
    for done, ((name, seed), info) in enumerate(runs.items()):
        report(done / len(runs))
        found = distances(project, info.run, faces, target)
        errors[name, seed] = found[-1]
        for arm in experiment.arms:
            if arm.stage_of == name and len(found) > arm.stage + 1:
                errors[arm.name, seed] = found[arm.stage]
    report(1.0)
    return collect(experiment, faces, project.schema.keypoints, runs=runs, errors=errors, failed=failed)
