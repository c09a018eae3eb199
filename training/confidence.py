"""How sure a prediction is: the disagreement between views of one picture, calibrated to a probability. NumPy only.

The probability is that a point's error is under 10 % of the interocular distance (of the picture's width where a face has
none), the field's usual limit of a failure. It is fitted on val at the end of a run by logistic regression on the logarithms of the point's own disagreement
and of its face's mean, with an intercept a keypoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.errors import UserError

CLOSE = 0.10  # of the interocular distance
_ROUNDS = 50  # of Newton's method, at most
_FLOOR = 1e-4  # of the width: views never agree better than this


@dataclass(frozen=True)
class Calibration:
    """slopes: of the point's and of the face's log disagreement. intercepts: one a keypoint. fitted_on: labelled points used."""

    slopes: tuple[float, float]
    intercepts: tuple[float, ...]
    fitted_on: int = 0

    def probability(self, disagreement: np.ndarray) -> np.ndarray:
        """Disagreement [N, K] (fractions of the picture's width) -> probability float32 [N, K] of a small error."""
        features = _features(disagreement)
        return _sigmoid(features @ np.asarray(self.slopes) + np.asarray(self.intercepts)).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives the calibration back."""
        return {"slopes": list(self.slopes), "intercepts": list(self.intercepts), "fitted_on": self.fitted_on}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """Raises UserError where the values are not a calibration."""
        try:
            point, face = (float(v) for v in values["slopes"])
            return cls((point, face), tuple(float(v) for v in values["intercepts"]), int(values["fitted_on"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"The model file's confidence calibration cannot be read ({error}).") from error


def default_calibration(keypoints: int) -> Calibration:
    """A cautious guess for a model that was not calibrated yet: one half where views differ by 0.5 % of the width."""
    return Calibration((-0.7, -0.7), (1.4 * float(np.log(0.005)),) * keypoints)


def fit_calibration(disagreement: np.ndarray, errors: np.ndarray) -> Calibration:
    """disagreement [N, K] as fractions of the width; errors [N, K] as fractions of the interocular distance, NaN: no label.

    The penalty makes a keypoint with few labels lean on the common intercept.
    """
    count, keypoints = errors.shape
    labelled = np.isfinite(errors)
    if labelled.sum() < 20:
        return default_calibration(keypoints)
    which = np.broadcast_to(np.arange(keypoints), (count, keypoints))[labelled]
    features = _features(disagreement)[labelled]
    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    design = np.concatenate([(features - middle) / spread, np.ones((len(which), 1)), np.eye(keypoints)[which]], axis=1)
    close = (errors[labelled] < CLOSE).astype(np.float64)
    weights = _fit_logistic(design, close, penalty=np.array([0.1, 0.1, 0.01, *[1.0] * keypoints]))
    slopes = weights[:2] / spread
    intercepts = weights[2] + weights[3:] - slopes @ middle
    return Calibration((float(slopes[0]), float(slopes[1])), tuple(map(float, intercepts)), int(labelled.sum()))


def _fit_logistic(design: np.ndarray, truth: np.ndarray, *, penalty: np.ndarray) -> np.ndarray:
    """Weights of a logistic regression by Newton's method; each step is halved until it is no step backwards."""
    weights = np.zeros(design.shape[1])
    cost = _cost(design, truth, weights, penalty)
    for _ in range(_ROUNDS):
        p = _sigmoid(design @ weights)
        gradient = design.T @ (p - truth) + penalty * weights
        curvature = (design * (p * (1 - p))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        while (new := _cost(design, truth, weights - step, penalty)) > cost:
            step /= 2
        weights = weights - step
        if cost - new < 1e-9 * abs(cost):
            break
        cost = new
    return weights


def _cost(design: np.ndarray, truth: np.ndarray, weights: np.ndarray, penalty: np.ndarray) -> float:
    """Negative log-likelihood with the ridge."""
    z = design @ weights
    return float(np.sum(np.logaddexp(0, z) - truth * z) + 0.5 * np.sum(penalty * weights**2))


def _features(disagreement: np.ndarray) -> np.ndarray:
    """[N, K] -> [N, K, 2]: logarithms of the point's own disagreement and of its face's mean."""
    own = np.log(np.asarray(disagreement, np.float64) + _FLOOR)
    face = np.log(disagreement.mean(axis=1, keepdims=True, dtype=np.float64) + _FLOOR)
    return np.stack([own, np.broadcast_to(face, own.shape)], axis=-1)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))
