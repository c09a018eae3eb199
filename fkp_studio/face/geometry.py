"""Hit testing of points and clamping to the image: pure functions over arrays."""

from __future__ import annotations

import numpy as np

HALF_PIXEL = 0.5


def nearest(points: np.ndarray, at: tuple[float, float], *, radius: float, among: np.ndarray | None = None) -> int:
    """The index of the point [K, 2] nearest to `at` within `radius` (all in the same unit), -1 for none.

    NaN points are never hit. among: bool [K], the points to consider.
    """
    distances = np.hypot(points[:, 0] - at[0], points[:, 1] - at[1])
    distances = np.where(np.isnan(distances), np.inf, distances)
    if among is not None:
        distances = np.where(among, distances, np.inf)
    if not len(distances):
        return -1
    best = int(distances.argmin())
    return best if distances[best] <= radius else -1


def inside(at: tuple[float, float], *, width: int, height: int) -> bool:
    """Whether a position lies on the image; the first pixel reaches from -0.5 to 0.5."""
    return -HALF_PIXEL <= at[0] <= width - HALF_PIXEL and -HALF_PIXEL <= at[1] <= height - HALF_PIXEL


def clamped(at: tuple[float, float], *, width: int, height: int) -> tuple[float, float]:
    """The position on the image nearest to `at`."""
    return (
        min(max(at[0], -HALF_PIXEL), width - HALF_PIXEL),
        min(max(at[1], -HALF_PIXEL), height - HALF_PIXEL),
    )
