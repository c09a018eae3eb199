"""Conditions the errors of missing points on those of labelled points, as a Gaussian.

An error e = label - prediction has second moments S. Given the errors of the known points,
e_missing = S_mk S_kk^-1 e_known, with the remaining covariance S_mm - S_mk S_kk^-1 S_km.
"""

from __future__ import annotations

import numpy as np

FAR = 20.0  # squared standard deviations (1 in 20,000 Gaussian labels): points beyond it are down-weighted


def conditional(errors: np.ndarray, known: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Expected errors of all points [N, K, 2] and their covariances [N, K, 2, 2], given the errors of the known points.

    errors: [N, K, 2], of which the points `known` [K] count. covariance: [2K, 2K]. A known point keeps its error and
    has no uncertainty. A label far from where the model and the other labels expect it (a slip of the hand, or a gross
    error of the network) is treated as noisy in proportion to its distance, so it moves the other points less.
    """
    count = len(errors)
    k = np.repeat(known, 2)
    if not known.any():
        return np.zeros_like(errors), np.broadcast_to(_blocks(covariance), (count, len(known), 2, 2))
    own, across = covariance[np.ix_(k, k)], covariance[np.ix_(k, ~k)]
    seen = errors[:, known].reshape(count, -1)
    rest = covariance[np.ix_(~k, ~k)]
    inverse = np.linalg.inv(own)
    expected, unsure = _expected(seen, inverse, across, rest)
    moved, covariances = np.zeros_like(errors), np.zeros((count, len(known), 2, 2))
    moved[:, ~known], covariances[:, ~known] = expected, unsure
    for row in np.flatnonzero((_distances(seen, inverse) > FAR).any(axis=1)):
        trusted = _without_slips(seen[row], inverse)
        found = _expected(seen[row : row + 1], trusted, across, rest)
        moved[row, ~known], covariances[row, ~known] = found[0][0], found[1]
    moved[:, known] = errors[:, known]
    return moved, covariances


def _expected(
    seen: np.ndarray, inverse: np.ndarray, across: np.ndarray, rest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Errors [N, M, 2] and covariances [M, 2, 2] of the M missing points."""
    gain = inverse @ across  # [2k, 2M]
    return (seen @ gain).reshape(len(seen), -1, 2), _blocks(rest - across.T @ gain)


def _blocks(covariance: np.ndarray) -> np.ndarray:
    """[2K, 2K] -> the diagonal blocks [K, 2, 2]."""
    points = len(covariance) // 2
    which = np.arange(points)
    return covariance.reshape(points, 2, points, 2)[which, :, which, :]


def _distances(seen: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """[N, k]: squared distance of each known point from its expectation given the others, in standard deviations."""
    pull = (seen @ inverse).reshape(
        len(seen), -1, 2
    )  # S^-1 e; with S^-1's own block B of a point, its deviation is B^-1 pull
    return np.asarray(np.einsum("nki,kij,nkj->nk", pull, np.linalg.inv(_blocks(inverse)), pull))


def _without_slips(seen: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """The inverse [2k, 2k] with noise at the points that are far off, the worst first, until none is."""
    for _ in range(len(inverse) // 2):
        distances = _distances(seen[None], inverse)[0]
        worst = int(distances.argmax())
        if distances[worst] <= FAR:
            break
        there = slice(2 * worst, 2 * worst + 2)
        own = inverse[there, there]
        deviation = np.linalg.solve(own, inverse[there] @ seen)
        spread = float(np.trace(np.linalg.inv(own))) / 2
        noise = max(float(deviation @ deviation) / FAR - spread, 0.1 * spread)
        kept = np.linalg.solve(own + np.eye(2) / noise, inverse[there])  # (S + noise)^-1 by Woodbury's identity
        inverse = inverse - inverse[:, there] @ kept
    return inverse
