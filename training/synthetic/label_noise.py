"""Labels of synthetic faces: Kaggle's pattern of missing points, label noise, planted errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.faces.labels.labels import Labels, Origin, PointState
from training.faces.labels.schema import KAGGLE_15

# Of the 7,049 rows of the Kaggle file 2,140 have all points, 4,755 exactly these four, and the rest a few gaps.
KAGGLE_ROWS, KAGGLE_COMPLETE, KAGGLE_FOUR = 7049, 2140, 4755
FOUR = tuple(
    KAGGLE_15.keypoints.index(name)
    for name in ("left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip")
)
_FRAGILE = np.array([0.2, 0.2, 1, 1, 1, 1, 1, 10, 1, 8, 0.1, 1, 1, 0.5, 3])  # outer brow ends are missing most often


@dataclass(frozen=True)
class PlantedError:
    """A deliberately wrong label: its sample (index), the keypoints, and the kind of error."""

    sample: int
    keypoints: tuple[int, ...]
    kind: Literal["swap", "offset"]


def make_labels(points: np.ndarray, visible: np.ndarray, *, noise: float, rng: np.random.Generator) -> Labels:
    """Labels [N, K] of exact points, each coordinate with normal noise of `noise` px, kept inside the image."""
    labels = Labels.empty(*visible.shape)
    labels.points[:] = np.clip(points + noise * rng.standard_normal(points.shape), 0, 95) if noise else points
    labels.states[:] = np.where(visible, PointState.VISIBLE, PointState.OCCLUDED)
    labels.origins[:] = Origin.IMPORTED
    return labels


def kaggle_missing(count: int, *, rng: np.random.Generator) -> np.ndarray:
    """bool [count, 15]: points to remove, in Kaggle's shares: 30.4 % complete, 67.5 % four points, the rest gaps."""
    complete, four = (round(count * share / KAGGLE_ROWS) for share in (KAGGLE_COMPLETE, KAGGLE_FOUR))
    kinds = np.full(count, 2)
    kinds[:complete] = 0
    kinds[complete : complete + four] = 1
    rng.shuffle(kinds)
    missing = np.zeros((count, len(KAGGLE_15)), bool)
    missing[kinds == 1] = True
    missing[np.ix_(kinds == 1, FOUR)] = False
    for row in np.flatnonzero(kinds == 2):
        holes = min(1 + rng.geometric(0.6) - 1, 8)
        missing[row, rng.choice(len(KAGGLE_15), holes, replace=False, p=_FRAGILE / _FRAGILE.sum())] = True
    return missing


def take_away(labels: Labels, missing: np.ndarray) -> None:
    """Make these points unset, in place."""
    labels.points[missing] = np.nan
    labels.states[missing] = PointState.UNSET
    labels.origins[missing] = Origin.NONE


def plant_errors(labels: Labels, rows: np.ndarray, *, rng: np.random.Generator) -> tuple[PlantedError, ...]:
    """Make one gross error in each of these rows, in place: left and right swapped, or one point far away."""
    errors = []
    for row in rows:
        present = np.flatnonzero(labels.mask[row])
        pair = [(k, f) for k, f in enumerate(KAGGLE_15.flip) if k < f and k in present and f in present]
        if pair and rng.random() < 0.5:
            errors.append(_swap(labels, int(row), pair))
        elif len(present):
            errors.append(_offset(labels, int(row), int(rng.choice(present)), rng))
    return tuple(errors)


def _swap(labels: Labels, row: int, pairs: list[tuple[int, int]]) -> PlantedError:
    for a, b in pairs:
        for values in (labels.points, labels.states):
            values[row, [a, b]] = values[row, [b, a]]
    return PlantedError(row, tuple(sorted(k for pair in pairs for k in pair)), "swap")


def _offset(labels: Labels, row: int, keypoint: int, rng: np.random.Generator) -> PlantedError:
    """Move the point 10 to 25 px, in a direction that stays in the image."""
    point = labels.points[row, keypoint]
    for _ in range(100):
        turn = rng.uniform(0, 2 * np.pi)
        moved = point + rng.uniform(10, 25) * np.array([np.cos(turn), np.sin(turn)])
        if (moved >= 0).all() and (moved <= 95).all():
            break
    else:  # no direction was found: towards the middle always works
        moved = point + 12 * (47.5 - point) / max(float(np.hypot(*(47.5 - point))), 1e-9)
    labels.points[row, keypoint] = moved
    return PlantedError(row, (keypoint,), "offset")
