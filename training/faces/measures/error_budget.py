"""How many predictions can be accepted so that the expected fraction of wrong ones stays within a budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.faces.measures.error_curve import ErrorCurve


@dataclass(frozen=True)
class ErrorBudget:
    """At most this fraction of wrong points, where wrong means an error beyond a fraction of the inter-ocular
    distance."""

    at_most: float = 0.02
    beyond: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.at_most < 1:
            raise ValueError("the share of wrong points must be between 0 and 1")
        if not 0 < self.beyond <= 1:
            raise ValueError("the error limit must be between 0 and the inter-ocular distance")


@dataclass(frozen=True)
class Affordable:
    """points: how many of the most certain. threshold: their lowest confidence, `NOTHING` if there are none.
    wrong: the fraction of them expected to be wrong. of: how many there were to choose from."""

    points: int
    threshold: float
    wrong: float
    of: int


NOTHING = 2.0  # a threshold that no confidence reaches


def affordable(confidences: np.ndarray, curve: ErrorCurve, budget: ErrorBudget) -> Affordable:
    """The largest number of the points [M], most certain first, whose mean P(error > beyond) stays within the budget.

    Equally certain points are accepted together, so that the threshold defines the selection. NaN is never accepted.
    """
    known = np.asarray(confidences, np.float32)
    known = np.sort(known[np.isfinite(known)])[::-1]
    if not len(known):
        return Affordable(0, NOTHING, 0.0, len(known))
    shares = expected_wrong(known, curve, beyond=budget.beyond)
    last = np.append(known[1:] != known[:-1], True)  # of equally certain ones
    within = np.flatnonzero(last & (shares <= budget.at_most))
    if not len(within):
        return Affordable(0, NOTHING, 0.0, len(known))
    end = int(within[-1])
    return Affordable(end + 1, float(known[end]), float(shares[end]), len(known))


def expected_wrong(surest_first: np.ndarray, curve: ErrorCurve, *, beyond: float) -> np.ndarray:
    """[M] confidences, descending -> the expected fraction of wrong points among the first 1, 2, ... M, ascending."""
    wrong = curve.wrong(surest_first, beyond)
    # rounding could make it fall
    return np.asarray(np.maximum.accumulate(np.cumsum(wrong) / np.arange(1, len(wrong) + 1)))
