"""The demo project: synthetic faces with missing labels as in Kaggle's data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.errors import UserError
from training.faces.labels.head_poses import write_poses
from training.faces.labels.samples import SampleBatch, Split
from training.faces.labels.schema import KAGGLE_15
from training.progress import IsCancelled, Progress, Report
from training.storage.destination import Result, check_destination
from training.storage.project.new_project import new_project
from training.synthetic.faces import SyntheticFaces, make_faces
from training.synthetic.label_noise import kaggle_missing, take_away

_LABEL_NOISE = 0.4  # px: about the difference between two careful annotators
_PLANTED = 0.02
SOURCE = "synthetic faces"


def make_demo_project(
    path: Path,
    *,
    samples: int = 600,
    seed: int = 0,
    progress: Report | None = None,
    cancelled: IsCancelled | None = None,
) -> SyntheticFaces:
    """Write a project of `samples` synthetic faces; it appears complete or not at all. Returns the faces.

    Train has Kaggle's pattern of missing labels and a few planted errors; val and test are complete and correct, so
    that models can be evaluated. The head poses are in poses.csv. Raises UserError where `path` exists or cannot be
    written, and Cancelled where the caller cancels.
    """
    path = Path(path).absolute()
    if samples < 1:
        raise UserError(f"A demo project needs at least one sample, not {samples}.")
    if path.exists():
        raise UserError(f"{path} already exists. Choose another name for the demo project.")
    check_destination(path, Result.FOLDER)
    step = Progress(progress, cancelled)
    step(0.0, "drawing faces")
    faces = _faces(samples, seed, step.part(0.0, 0.97))
    step(0.97, "writing the project")
    with new_project(path, KAGGLE_15) as project:
        batch = _batch(faces)
        project.add_samples(batch, source=SOURCE)
        write_poses(project.path, batch.names, faces.poses)
        step(0.99, "writing the project")
    step(1.0, f"{samples} faces are ready")
    return faces


def _faces(samples: int, seed: int, step: Progress) -> SyntheticFaces:
    faces = make_faces(
        samples,
        seed=seed,
        label_noise=_LABEL_NOISE,
        planted_errors=_PLANTED,
        planted_in="train",
        missing="none",
        progress=lambda done: step(done, f"drawing faces: {round(done * samples)} of {samples}"),
    )
    train = np.flatnonzero([split == "train" for split in faces.splits])
    missing = np.zeros(faces.labels.states.shape, bool)
    missing[train] = kaggle_missing(len(train), rng=np.random.default_rng([seed, 10]))
    for error in faces.planted:  # an error that was removed does not count
        missing[error.sample, list(error.keypoints)] = False
    take_away(faces.labels, missing)
    return faces


def _batch(faces: SyntheticFaces) -> SampleBatch:
    count = len(faces.images)
    side = np.full(count, faces.images.shape[1], np.int32)
    return SampleBatch(
        names=tuple(f"face-{i + 1:05d}" for i in range(count)),
        sources=(SOURCE,) * count,
        labels=faces.labels,
        widths=side,
        heights=side,
        groups=tuple(faces.groups),
        splits=np.array([Split[split.upper()] for split in faces.splits], np.uint8),
        pixels=faces.images,
    )
