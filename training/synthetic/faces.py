"""Synthetic faces: a 3-D head rendered by our own code, whose keypoints are exact because they are projected.

Used for the demo project, for tests, and for data sets in which every error is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.faces.labels.labels import Labels
from training.synthetic.image import Face, Model
from training.synthetic.label_noise import PlantedError, kaggle_missing, make_labels, plant_errors, take_away
from training.synthetic.person import Person, Scene, random_person, random_scene

__all__ = [
    "Face",
    "Model",
    "Person",
    "PlantedError",
    "Scene",
    "SyntheticFaces",
    "make_faces",
    "random_person",
    "random_scene",
]

IMAGES_PER_PERSON = 5
_VAL, _TEST = 0.15, 0.10  # shares of the people


@dataclass(frozen=True)
class SyntheticFaces:
    """images: uint8 [N, 96, 96]. points: float64 [N, 15, 2], exact, px. visible: bool [N, 15]: not occluded.

    labels: as an annotator would leave them: `points` with noise, gaps and planted errors. groups: one name per person.
    splits: "train", "val" or "test", a single one per person. planted: every planted error. poses: float64 [N, 3], yaw,
    pitch and roll of the head, degrees, as in `Scene`.
    """

    images: np.ndarray
    points: np.ndarray
    visible: np.ndarray
    labels: Labels
    groups: list[str]
    splits: list[str]
    planted: tuple[PlantedError, ...]
    poses: np.ndarray


def make_faces(
    count: int,
    *,
    seed: int = 0,
    label_noise: float = 0.0,
    planted_errors: float = 0.0,
    planted_in: Literal["all", "train"] = "all",
    missing: Literal["kaggle", "none"] = "kaggle",
    progress: Callable[[float], None] | None = None,
) -> SyntheticFaces:
    """`count` faces, reproducible from the arguments; image i and its exact points depend only on (seed, i).

    label_noise: standard deviation of the labels around the exact points, px. planted_errors: fraction of the samples
    (of all, or of train) with a gross error. missing: Kaggle's pattern of missing labels over all samples, or none.
    progress is called with the fraction done (0..1); an exception it raises ends the work.
    """
    images = np.empty((count, 96, 96), np.uint8)
    points, visible, poses = np.empty((count, 15, 2)), np.empty((count, 15), bool), np.empty((count, 3))
    model = None
    for i in range(count):
        if model is None or i % IMAGES_PER_PERSON == 0:
            model = Model(random_person(seed, i // IMAGES_PER_PERSON))
        scene = random_scene(seed, i)
        face = model.draw(scene)
        images[i], points[i], visible[i] = face.image, face.points, face.visible
        poses[i] = scene.yaw, scene.pitch, scene.roll
        if progress is not None:
            progress((i + 1) / count)
    people = [i // IMAGES_PER_PERSON for i in range(count)]
    splits = _splits(max(people, default=-1) + 1, np.random.default_rng([seed, 9]))
    rng = np.random.default_rng([seed, 8])
    labels = make_labels(points, visible, noise=label_noise, rng=rng)
    if missing == "kaggle":
        take_away(labels, kaggle_missing(count, rng=rng))
    rows = np.array([i for i, p in enumerate(people) if planted_in == "all" or splits[p] == "train"], int)
    wrong = np.sort(rng.choice(rows, round(len(rows) * planted_errors), replace=False))
    planted = plant_errors(labels, wrong, rng=rng)
    groups = [f"person-{p + 1:04d}" for p in people]
    return SyntheticFaces(images, points, visible, labels, groups, [splits[p] for p in people], planted, poses)


def _splits(people: int, rng: np.random.Generator) -> list[str]:
    val, test = (max(round(people * share), 1) if people > 2 else 0 for share in (_VAL, _TEST))
    names = np.array(["val"] * val + ["test"] * test + ["train"] * (people - val - test), dtype=object)
    rng.shuffle(names)
    return [str(name) for name in names]
