"""How many predictions can be taken so that the expected share of wrong ones stays within a budget. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.faces.measures.error_curve import ErrorCurve


@dataclass(frozen=True)
class ErrorBudget:
    """At most this share of wrong points, where wrong is an error beyond a fraction of the interocular distance."""

    at_most: float = 0.02
    beyond: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.at_most < 1:
            raise ValueError("the share of wrong points lies between 0 and 1")
        if not 0 < self.beyond <= 1:
            raise ValueError("the limit of an error lies between 0 and the interocular distance")


@dataclass(frozen=True)
class Affordable:
    """points: how many of the surest. threshold: the least of their confidences, above every confidence where there are none.
    wrong: the share of them expected to be wrong. of: how many there were to choose from."""

    points: int
    threshold: float
    wrong: float
    of: int


NOTHING = 2.0  # a threshold that no confidence reaches


def affordable(confidences: np.ndarray, curve: ErrorCurve, budget: ErrorBudget) -> Affordable:
    """The most of the points [M], taken from the surest on, whose mean P(error > beyond) stays within the budget.

    Points that are equally sure go together, so that the threshold says exactly which. NaN is never taken.
    """
    known = np.asarray(confidences, np.float32)
    known = np.sort(known[np.isfinite(known)])[::-1]
    if not len(known):
        return Affordable(0, NOTHING, 0.0, len(known))
    shares = expected_wrong(known, curve, beyond=budget.beyond)
    last = np.append(known[1:] != known[:-1], True)  # of those equally sure
    within = np.flatnonzero(last & (shares <= budget.at_most))
    if not len(within):
        return Affordable(0, NOTHING, 0.0, len(known))
    end = int(within[-1])
    return Affordable(end + 1, float(known[end]), float(shares[end]), len(known))


def expected_wrong(surest_first: np.ndarray, curve: ErrorCurve, *, beyond: float) -> np.ndarray:
    """[M] confidences, descending -> the expected share of wrong points among the first 1, 2, ... M; it never falls."""
    wrong = curve.wrong(surest_first, beyond)
    return np.asarray(np.maximum.accumulate(np.cumsum(wrong) / np.arange(1, len(wrong) + 1)))  # it falls by rounding
