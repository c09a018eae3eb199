"""A project whose faces have any number of keypoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.faces.labels.labels import Labels
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import schema_from_names
from training.storage.project.project import Project

SIDE = 64  # px


def many_names(keypoints: int) -> list[str]:
    return [f"{side}_{i}" for i in range(keypoints // 2) for side in ("left", "right")]


def project_of_many(path: Path, keypoints: int, *, faces: int = 3) -> Path:
    """All points are labelled, at random positions."""
    random = np.random.default_rng(0)
    batch = SampleBatch(
        names=tuple(f"face-{i}" for i in range(faces)),
        sources=tuple(f"a.csv#{i + 1}" for i in range(faces)),
        labels=Labels.from_points(random.uniform(1, SIDE - 2, (faces, keypoints, 2))),
        widths=np.full(faces, SIDE, np.int32),
        heights=np.full(faces, SIDE, np.int32),
        groups=("",) * faces,
        splits=np.zeros(faces, np.uint8),
        pixels=random.integers(0, 255, (faces, SIDE, SIDE), np.uint8),
    )
    with Project.create(path, schema_from_names(many_names(keypoints))) as project:
        project.add_samples(batch, source="a.csv")
    return path
