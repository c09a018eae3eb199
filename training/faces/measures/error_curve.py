"""The distribution of a point's error given its confidence.

Errors follow a proportional-hazards law (Cox, Regression Models and Life-Tables, JRSS B 1972, with the error in place
of time): P(error > t) = exp(-h(t) * r), where h is the same for all points of a model and r is the point's own. With
h(10 %) = 1 the confidence c = P(error <= 10 % of the inter-ocular distance) determines r, and so every other threshold:

P(error > t) = (1 - c) ** h(t)

h(t) = (t / 10 %) ** k would be a Weibull distribution, k = 2 Rayleigh's; a model's h is measured on val.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.errors import UserError

CLOSE = 0.10  # of the inter-ocular distance: the threshold that defines a confidence
LIMITS = (
    0.02,
    0.03,
    0.05,
    0.07,
    CLOSE,
    0.14,
    0.20,
    0.30,
)  # fractions of the inter-ocular distance at which h is measured
USUAL_POWER = 1.8  # k of the networks measured in docs/confidence.md
_HUGE = 1e100
_SMALLEST = 2.0**-25  # 1 - c: single precision has no confidence closer to one


@dataclass(frozen=True)
class ErrorCurve:
    """log h at LIMITS, ascending, 0 at 10 %; linear over log t in between, extrapolated with the end slopes."""

    log_hazards: tuple[float, ...]

    def __post_init__(self) -> None:
        values = np.asarray(self.log_hazards, np.float64)
        if values.shape != (len(LIMITS),) or not np.isfinite(values).all() or (np.diff(values) <= 0).any():
            raise ValueError(f"the error curve needs {len(LIMITS)} ascending numbers")

    def hazard(self, beyond: float) -> float:
        """h at an error given as a fraction of the inter-ocular distance; 1 at 10 %."""
        return float(np.exp(_line(np.log(beyond), np.log(LIMITS), self.log_hazards)))

    def wrong(self, confidences: np.ndarray, beyond: float) -> np.ndarray:
        """P(error > beyond), float64, for points of these confidences; NaN where the confidence is."""
        return np.asarray(np.exp(-self.hazard(beyond) * _rate(confidences)))

    def error(self, confidences: np.ndarray, *, share: float = 0.5) -> np.ndarray:
        """The error, as a fraction of the inter-ocular distance, below which `share` of the points with it lie."""
        wanted = np.log(-np.log1p(-share)) - np.log(_rate(confidences))  # log h
        return np.asarray(np.exp(_line(wanted, self.log_hazards, np.log(LIMITS))))

    def to_json(self) -> dict[str, list[float]]:
        return {"limits": list(LIMITS), "log_hazards": list(self.log_hazards)}

    @classmethod
    def from_json(cls, values: object) -> ErrorCurve:
        """Raises UserError where the values are not a curve."""
        try:
            if not isinstance(values, dict) or tuple(values["limits"]) != LIMITS:
                raise ValueError("other limits")
            return cls(finite_numbers(values["log_hazards"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"The model file's error curve cannot be read ({error}).") from error


def finite_numbers(values: object) -> tuple[float, ...]:
    """The numbers of a list out of a file. Raises ValueError for anything else."""
    if not isinstance(values, list) or any(type(v) not in (int, float) or not abs(v) < _HUGE for v in values):
        raise ValueError(f"{str(values)[:40]} are not numbers")
    return tuple(map(float, values))


def usual_curve() -> ErrorCurve:
    """For predictions of models that have no curve of their own."""
    return ErrorCurve(tuple(USUAL_POWER * float(v) for v in np.log(np.asarray(LIMITS) / CLOSE)))


def _rate(confidences: np.ndarray) -> np.ndarray:
    """r = -log(1 - c)."""
    doubt = np.clip(1 - np.asarray(confidences, np.float64), _SMALLEST, 1 - 1e-6)
    return np.asarray(-np.log(doubt))


def _line(x: np.ndarray | float, at: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray) -> np.ndarray:
    """np.interp, extrapolated with the end slopes; `at` ascending."""
    at, values = np.asarray(at, np.float64), np.asarray(values, np.float64)
    part = np.clip(np.searchsorted(at, x) - 1, 0, len(at) - 2)
    slope = (values[part + 1] - values[part]) / (at[part + 1] - at[part])
    return np.asarray(values[part] + slope * (x - at[part]))
