"""Labels: each point's coordinates, its state, and who made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np


class PointState(IntEnum):
    """What is known about one keypoint of one sample. Only visible and occluded points have coordinates."""

    UNSET = 0
    VISIBLE = 1
    OCCLUDED = 2
    ABSENT = 3


class Origin(IntEnum):
    """Who made a point."""

    NONE = 0
    IMPORTED = 1
    PERSON = 2
    MODEL = 3
    INTERPOLATED = 4


@dataclass(frozen=True)
class Labels:
    """The labels of B samples with K keypoints each: coordinates, states and origins, always of the same shapes.

    points: float64 [B, K, 2], pixels of the image, centre of the first pixel at (0, 0); NaN where there is no point.
    states: uint8 [B, K], PointState. origins: uint8 [B, K], Origin.
    runs: int32 [B, K], the number of the run that made a MODEL point, else 0.
    confidences: float32 [B, K], that run's confidence in 0..1, else NaN.
    """

    points: np.ndarray
    states: np.ndarray
    origins: np.ndarray
    runs: np.ndarray
    confidences: np.ndarray

    @classmethod
    def empty(cls, count: int, keypoints: int) -> Labels:
        """`count` samples with every point unset."""
        shape = (count, keypoints)
        return cls(
            points=np.full((*shape, 2), np.nan),
            states=np.zeros(shape, np.uint8),
            origins=np.zeros(shape, np.uint8),
            runs=np.zeros(shape, np.int32),
            confidences=np.full(shape, np.nan, np.float32),
        )

    @classmethod
    def from_points(cls, points: np.ndarray) -> Labels:
        """Imported labels of given points [B, K, 2]: visible where both coordinates are finite, unset elsewhere."""
        points = np.array(points, np.float64)
        present = np.isfinite(points).all(axis=-1)
        labels = cls.empty(*present.shape)
        labels.points[present] = points[present]
        labels.states[present] = PointState.VISIBLE
        labels.origins[present] = Origin.IMPORTED
        return labels

    @classmethod
    def concatenate(cls, parts: Sequence[Labels]) -> Labels:
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)})

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, rows: np.ndarray | slice | list[int]) -> Labels:
        return Labels(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def copy(self) -> Labels:
        """A copy whose arrays can be changed freely."""
        return replace(self, **{f.name: getattr(self, f.name).copy() for f in fields(self)})

    def same_as(self, other: Labels) -> bool:
        """Whether all values are equal (NaN equals NaN)."""
        return all(
            np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
            for a, b in ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        )

    @property
    def mask(self) -> np.ndarray:
        """bool [B, K]: points that have coordinates (visible or occluded)."""
        return (self.states == PointState.VISIBLE) | (self.states == PointState.OCCLUDED)

    @property
    def vouched(self) -> np.ndarray:
        """bool [B, K]: points from a person or the source; those accepted from a model are no ground truth for
        models."""
        return self.mask & (self.origins != Origin.MODEL)

    @property
    def vouched_points(self) -> np.ndarray:
        """float64 [B, K, 2], px: the points to evaluate a model against; NaN where not `vouched`."""
        return np.where(self.vouched[..., None], self.points, np.nan)

    @property
    def missing(self) -> np.ndarray:
        """bool [B, K]: points that nobody has reviewed."""
        return self.states == PointState.UNSET
