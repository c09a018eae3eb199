"""Confidence of predictions: the disagreement between views of one image, calibrated to a distribution of the error.

The confidence is the probability that a point's error is at most 10 % of the inter-ocular distance (of the image's
width if a face has none), the usual failure threshold; `training.faces.measures.error_curve` extends it to any other
threshold. Both are fitted together on val at the end of a run by complementary log-log regression on the logarithms of
the point's own disagreement, its face's mean disagreement and the face's predicted size, with an intercept per
keypoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np

from training.errors import UserError
from training.faces.labels.schema import KeypointSchema
from training.faces.measures.error_curve import CLOSE, LIMITS, ErrorCurve, finite_numbers, usual_curve
from training.faces.measures.hazard_fit import fit_hazards

Views = Literal[
    "moved", "heads"
]  # which views are compared: `training.learning.inference.averaged_views.points_and_disagreement`

_FLOOR = 1e-4  # of the width: the disagreement never falls below this
_SMALLEST_FACE = 0.02  # of the width
_USUAL_SLOPES = (-0.3, -0.5, 2.5)
_USUAL_SIZE = 0.33  # of the width
_FEWEST = 20  # labelled points


@dataclass(frozen=True)
class Calibration:
    """slopes: of the logarithms of the point's and the face's disagreement and of the face's size. intercepts: per
    keypoint.

    fitted_on: number of labelled points. curve: None in older files, which have two slopes and log odds in place of log
    hazards. views: those whose disagreement was fitted.
    """

    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]
    fitted_on: int = 0
    curve: ErrorCurve | None = None
    views: Views = "moved"

    @property
    def errors(self) -> ErrorCurve:
        """Extends a confidence to thresholds other than 10 %."""
        return self.curve or usual_curve()

    def probability(self, disagreement: np.ndarray, sizes: np.ndarray | None = None) -> np.ndarray:
        """Disagreement [N, K] and `face_sizes` [N] (fractions of the image's width) -> confidence float32 [N, K].

        Without sizes all faces are taken to be of the usual size.
        """
        features = _features(disagreement, sizes)[..., : len(self.slopes)]
        value = np.clip(features @ np.asarray(self.slopes) + np.asarray(self.intercepts), -30, 30)
        sure = 1 / (1 + np.exp(-value)) if self.curve is None else -np.expm1(-np.exp(value))
        return np.asarray(sure, np.float32)

    def wrong(self, disagreement: np.ndarray, sizes: np.ndarray | None = None, *, beyond: float = 0.05) -> np.ndarray:
        """P(error > beyond), float64 [N, K]; beyond as a fraction of the inter-ocular distance."""
        return self.errors.wrong(self.probability(disagreement, sizes), beyond)

    def to_json(self) -> dict[str, Any]:
        plain: dict[str, Any] = {
            "slopes": list(self.slopes),
            "intercepts": list(self.intercepts),
            "fitted_on": self.fitted_on,
        }
        if self.views != "moved":  # absent in older files
            plain["views"] = self.views
        return plain if self.curve is None else {**plain, "curve": self.curve.to_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """Raises UserError where the values are not a calibration."""
        try:
            slopes = finite_numbers(values["slopes"])
            curve = ErrorCurve.from_json(values["curve"]) if "curve" in values else None
            if len(slopes) != (2 if curve is None else 3):
                raise ValueError(f"{len(slopes)} slopes")
            views = values.get("views", "moved")
            if type(views) is not str or views not in get_args(Views):
                raise ValueError(f"views {str(views)[:40]!r}")
            intercepts, fitted_on = finite_numbers(values["intercepts"]), values["fitted_on"]
            if type(fitted_on) is not int or fitted_on < 0:
                raise ValueError("fitted on no number of points")
            return cls(slopes, intercepts, fitted_on, curve, cast(Views, views))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"The model file's confidence calibration cannot be read ({error}).") from error


def face_sizes(points: np.ndarray, schema: KeypointSchema, *, width: float) -> np.ndarray:
    """Predicted inter-ocular distances [N] as fractions of the image's width; 1 where the schema has no eyes.

    points [N, K, 2] in px of a square of this width that the images were stretched to.
    """
    left, right = schema.interocular
    if not left or not right:
        return np.ones(len(points))
    apart = points[:, list(left)].mean(axis=1) - points[:, list(right)].mean(axis=1)
    return np.asarray(np.maximum(np.hypot(apart[:, 0], apart[:, 1]) / width, _SMALLEST_FACE))


def default_calibration(keypoints: int) -> Calibration:
    """A cautious guess for an uncalibrated model: 0.5 where the views differ by 0.5 % of the width."""
    intercept = float(np.log(np.log(2))) - sum(_USUAL_SLOPES[:2]) * float(np.log(0.005 + _FLOOR))
    intercept -= _USUAL_SLOPES[2] * float(np.log(_USUAL_SIZE))
    return Calibration(_USUAL_SLOPES, (intercept,) * keypoints, 0, usual_curve())


def fit_calibration(disagreement: np.ndarray, errors: np.ndarray, sizes: np.ndarray | None = None) -> Calibration:
    """disagreement [N, K] and sizes [N] as fractions of the width; errors [N, K] as fractions of the inter-ocular
    distance, NaN where unlabelled.

    With few labels the fit leans on `default_calibration`; a keypoint with few labels leans on the common intercept.
    """
    keypoints = errors.shape[1]
    usual = default_calibration(keypoints)
    features = _features(disagreement, sizes)
    labelled = np.isfinite(errors) & np.isfinite(features).all(axis=-1)  # a diverged network can output NaN
    if labelled.sum() < _FEWEST:
        return usual
    found = fit_hazards(
        features[labelled],
        np.nonzero(labelled)[1],
        errors[labelled],
        keypoints=keypoints,
        together=labelled.sum() / labelled.any(axis=1).sum(),
        limits=LIMITS,
        usual=(_USUAL_SLOPES, usual.intercepts[0], usual.errors.log_hazards),
    )
    shift = found.log_hazards[LIMITS.index(CLOSE)]
    curve = ErrorCurve(tuple(float(v - shift) for v in found.log_hazards))
    intercepts = tuple(float(v + shift) for v in found.intercepts)
    return Calibration(tuple(map(float, found.slopes)), intercepts, int(labelled.sum()), curve)


def _features(disagreement: np.ndarray, sizes: np.ndarray | None) -> np.ndarray:
    """[N, K] and [N] -> [N, K, 3]: logarithms of the point's own disagreement, its face's mean, and its face's size."""
    own = np.log(np.asarray(disagreement, np.float64) + _FLOOR)
    face = np.log(disagreement.mean(axis=1, keepdims=True, dtype=np.float64) + _FLOOR)
    size = np.full(len(own), _USUAL_SIZE) if sizes is None else np.asarray(sizes, np.float64)
    columns = (own, face, np.log(size)[:, None])
    return np.stack([np.broadcast_to(column, own.shape) for column in columns], axis=-1)
