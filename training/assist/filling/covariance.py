"""The second moments of a model's errors, fitted on labelled faces it was not trained on.

There are many moments and few faces (val of 40 faces, 2 x 15 coordinates), so they are regularised with a prior under
which errors along one axis correlate more strongly the closer the points are (a shift of the whole face, or of the
mouth). It is an inverse Wishart prior that counts as many faces as there are coordinates; faces with missing labels are
used through EM (Little and Rubin, Statistical Analysis with Missing Data, section 11.2).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

PRIOR = 1.0  # prior weight in faces per coordinate; 0.5 to 2 fill equally well on faces15 with 40 and 440 faces
_RANGES = (0.25, 0.5, 1.0, 2.0, 4.0)  # candidate correlation ranges, in units of the face's radius
_SCALE_FACES = 2  # weight in faces of the mean scale in each coordinate's scale
_MOST = 0.98  # largest correlation of two coordinates in the prior
_ROUNDS, _STILL = 25, 1e-3  # of EM: maximum rounds, and the largest change at which it stops


def fit_covariance(errors: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Second moments [2K, 2K] about zero of errors [N, K, 2], NaN where a label is missing. shape [K, 2]: the mean
    face.

    They are taken about zero, not about the mean, so that an unlabelled face is left unchanged even if the model is
    biased on average; a bias common to all labels appears as a common shift.
    """
    rows = errors.reshape(len(errors), -1)
    scale = _scale(rows)
    rows = rows / scale
    prior = _prior(rows, shape)
    found = prior
    for _ in range(_ROUNDS):
        before, found = found, _maximised(rows, found, prior)
        if np.isfinite(rows).all() or np.abs(found - before).max() < _STILL:
            break
    return found * np.outer(scale, scale)


def _scale(rows: np.ndarray) -> np.ndarray:
    """Root mean square per coordinate [D], shrunk towards the overall mean where labels are few."""
    there = np.isfinite(rows)
    squares, counts = np.where(there, rows, 0) ** 2, there.sum(axis=0)
    usual = squares.sum() / max(int(counts.sum()), 1)
    return np.sqrt((squares.sum(axis=0) + _SCALE_FACES * usual) / (counts + _SCALE_FACES)) + 1e-9


def _prior(rows: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Correlations [D, D] by axis and distance only: common + near * exp(-(distance / range)^2), by least squares."""
    away = shape - shape.mean(axis=0)
    radius = float(np.sqrt((away**2).sum(axis=1).mean())) or 1.0
    distance = np.linalg.norm(away[:, None] - away[None], axis=-1) / radius
    distance = np.repeat(np.repeat(distance, 2, axis=0), 2, axis=1)
    axis = np.arange(len(distance)) % 2
    same = (axis[:, None] == axis[None]) & ~np.eye(len(axis), dtype=bool)
    there = np.isfinite(rows)
    filled, pairs = np.where(there, rows, 0), there.T.astype(float) @ there
    seen, weight = (filled.T @ filled / np.maximum(pairs, 1))[same], np.sqrt(pairs[same])
    best = min((_fitted(seen, weight, distance[same], r) for r in _RANGES), key=lambda found: found[0])
    prior = np.eye(len(axis))
    prior[same] = best[1]
    return prior


def _fitted(seen: np.ndarray, weight: np.ndarray, distance: np.ndarray, reach: float) -> tuple[float, np.ndarray]:
    """(squared deviation, correlations) of the best `common` and `near` coefficients for a range."""
    near = np.exp(-((distance / reach) ** 2))
    parts = np.stack([np.ones_like(near), near], axis=1)
    share, *_ = np.linalg.lstsq(parts * weight[:, None], seen * weight, rcond=None)
    share = np.clip(share, 0, None)
    found = parts @ (share / max(1.0, float(share.sum()) / _MOST))
    return float(((found - seen) * weight) @ ((found - seen) * weight)), found


def _maximised(rows: np.ndarray, now: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """One round of EM: the moments expected under `now`, shrunk towards the prior."""
    total, size = np.zeros_like(now), len(now)
    for known, part in _patterns(rows):
        gap = ~known
        whole = np.where(known, part, 0)
        if gap.any():
            gain = np.linalg.solve(now[np.ix_(known, known)], now[np.ix_(known, gap)])
            whole[:, gap] = part[:, known] @ gain
            total[np.ix_(gap, gap)] += len(part) * (now[np.ix_(gap, gap)] - now[np.ix_(gap, known)] @ gain)
        total += whole.T @ whole
    weight = PRIOR * size
    found: np.ndarray = (total + weight * prior) / (len(rows) + weight)
    return (found + found.T) / 2


def _patterns(rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(known coordinates [D], rows [n, D]) of each pattern of missing labels."""
    patterns, which = np.unique(np.isfinite(rows), axis=0, return_inverse=True)
    for n, known in enumerate(patterns):
        if known.any():
            yield known, rows[which.ravel() == n]
