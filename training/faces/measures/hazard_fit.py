"""Complementary log-log regression on ordered limits: the fraction of errors below each limit, given features.

log(-log P(error > t_j)) = intercept_k + features . slopes + a_j (the grouped proportional-hazards model; Prentice and
Gloeckler, Biometrics 1978), each limit being a binary outcome of its own. With the same features at every limit, the
a_j ascend as the fractions do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_ROUNDS = 60  # of Newton's method, at most
_SLOPES, _LEVELS = 4.0, 0.5  # weights, in faces, of the priors of the slopes, and of the curve and its height
_POINTS = 4.0  # weight, in points, of the prior of a keypoint's own intercept
_LEAST_STEP = 1e-3  # between the log hazards of successive limits


@dataclass(frozen=True)
class HazardFit:
    """slopes [F], intercepts [K], log_hazards [J]."""

    slopes: np.ndarray
    intercepts: np.ndarray
    log_hazards: np.ndarray


def fit_hazards(
    features: np.ndarray,
    which: np.ndarray,
    errors: np.ndarray,
    *,
    keypoints: int,
    together: float,
    usual: tuple[Sequence[float], float, Sequence[float]],
    limits: Sequence[float],
) -> HazardFit:
    """features [M, F], keypoint of each point `which` [M], errors [M].

    usual: slopes, intercept and log hazards of the prior. together: points per face; the errors of one face are
    correlated, so this many count as one independent observation.
    """
    slopes, intercept, curve = np.asarray(usual[0]), usual[1], np.asarray(usual[2])
    middle, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-6, spread, 1.0)
    ones = np.eye(keypoints)[which]
    design = np.concatenate([(features - middle) / spread, np.ones((len(which), 1)), ones], axis=1)  # [M, D]
    under = errors[:, None] <= np.asarray(limits)  # [M, J]
    start = np.concatenate([slopes * spread, [intercept + slopes @ middle], np.zeros(keypoints), curve])
    precision = np.full(len(start), _LEVELS * together)
    precision[: len(slopes)] = _SLOPES * together
    precision[len(slopes) + 1 : design.shape[1]] = _POINTS
    found = _newton(design, under, start, precision)
    end = design.shape[1]
    scaled = found[: len(slopes)] / spread
    hazards = found[end:].copy()
    for j in range(1, len(hazards)):  # ascends except for rounding
        hazards[j] = max(hazards[j], hazards[j - 1] + _LEAST_STEP)
    return HazardFit(scaled, found[len(slopes)] - scaled @ middle + found[len(slopes) + 1 : end], hazards)


def _newton(design: np.ndarray, under: np.ndarray, prior: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """The most probable weights [D + J] by Fisher scoring; each step is halved until the cost does not rise."""
    weights, cost = prior.copy(), _cost(design, under, prior, prior, precision)
    for _ in range(_ROUNDS):
        slope, curvature = _derivatives(design, under, weights)
        step = np.linalg.solve(curvature + np.diag(precision), slope - precision * (weights - prior))
        size = 1.0
        while (new := _cost(design, under, weights + size * step, prior, precision)) > cost and size > 1e-6:
            size /= 2
        if new > cost:
            break
        weights = weights + size * step
        if cost - new < 1e-9 * abs(cost):
            break
        cost = new
    return weights


def _hazards(design: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[M, J] of weights [D + J]."""
    end = design.shape[1]
    return np.exp(np.clip((design @ weights[:end])[:, None] + weights[end:], -20, 5))


def _derivatives(design: np.ndarray, under: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient [D + J] and Fisher information of the log-likelihood; all limits together count as one observation."""
    hazard = _hazards(design, weights)
    odds = hazard / np.expm1(hazard)
    slope = np.where(under, odds, -hazard) / under.shape[1]
    weight = hazard * odds / under.shape[1]
    corner = (design * weight.sum(axis=1)[:, None]).T @ design
    side = design.T @ weight
    information = np.block([[corner, side], [side.T, np.diag(weight.sum(axis=0))]])
    return np.concatenate([design.T @ slope.sum(axis=1), slope.sum(axis=0)]), information


def _cost(
    design: np.ndarray, under: np.ndarray, weights: np.ndarray, prior: np.ndarray, precision: np.ndarray
) -> float:
    """Negative log-likelihood plus prior."""
    hazard = _hazards(design, weights)
    terms = np.where(under, np.log(-np.expm1(-hazard)), -hazard)
    return float(-terms.sum() / under.shape[1] + 0.5 * np.sum(precision * np.square(weights - prior)))
