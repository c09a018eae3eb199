"""Whether confidences are calibrated: predicted and actual fractions of wrong points, overall and among
those accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.faces.measures import metrics
from training.faces.measures.calibration import face_sizes
from training.faces.measures.error_budget import ErrorBudget, affordable, expected_wrong
from training.faces.measures.error_curve import ErrorCurve

if TYPE_CHECKING:
    from training.faces.labels.schema import KeypointSchema

BINS = 10
STEPS = 200  # points on the risk curve


@dataclass(frozen=True)
class Judged:
    """Labelled points with a prediction. confidences float32 [M], errors float64 [M] (fractions of the inter-ocular
    distance), faces: how many they belong to.
    """

    confidences: np.ndarray
    errors: np.ndarray
    faces: int = 0


@dataclass(frozen=True)
class Reliability:
    """Points in bins of equal count, most certain first: their mean P(wrong), the fraction wrong, and their number. [B]
    each.

    ece: expected calibration error, the mean distance of the two weighted by count. brier: mean (P - truth)^2.
    """

    beyond: float
    predicted: np.ndarray
    real: np.ndarray
    counts: np.ndarray
    ece: float
    brier: float


@dataclass(frozen=True)
class RiskCurve:
    """accepted: fraction of the points, most certain first, ascending [S]. real and expected: fraction of them wrong
    [S].
    """

    accepted: np.ndarray
    real: np.ndarray
    expected: np.ndarray


def judge(
    points: np.ndarray, confidences: np.ndarray, target: np.ndarray, schema: KeypointSchema, *, sizes: np.ndarray
) -> Judged:
    """Predictions [N, K, 2] and [N, K] against labels [N, K, 2] (NaN if missing), px; sizes [N, 2] of the images.

    Where an eye is unlabelled the predicted inter-ocular distance is used; without eyes in the schema, the image's
    width.
    """
    widths = sizes[:, 0].astype(np.float64)
    unit = metrics.normaliser(target, "interocular", schema, sizes=sizes)
    predicted = face_sizes(points / widths[:, None, None], schema, width=1.0) * widths
    errors = metrics.point_errors(points, target) / np.where(np.isfinite(unit), unit, predicted)[:, None]
    known = np.isfinite(errors) & np.isfinite(confidences)
    return Judged(confidences[known].astype(np.float32), errors[known], int(known.any(axis=1).sum()))


def reliability(judged: Judged, curve: ErrorCurve, *, beyond: float, bins: int = BINS) -> Reliability:
    """Compare P(error > beyond) with the actual outcomes."""
    wrong = curve.wrong(judged.confidences, beyond)
    truth = (judged.errors > beyond).astype(np.float64)
    order = np.argsort(wrong, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    predicted, real = (np.array([values[part].mean() for part in parts]) for values in (wrong, truth))
    counts = np.array([len(part) for part in parts], np.int64)
    if not len(order):
        return Reliability(beyond, predicted, real, counts, float("nan"), float("nan"))
    ece = float(np.average(np.abs(predicted - real), weights=counts))
    return Reliability(beyond, predicted, real, counts, ece, float(np.square(wrong - truth).mean()))


def risk_curve(judged: Judged, curve: ErrorCurve, *, beyond: float) -> RiskCurve:
    """The fraction of wrong points among the most certain ones, from few to all."""
    count = len(judged.confidences)
    if not count:
        return RiskCurve(np.zeros(0), np.zeros(0), np.zeros(0))
    order = np.argsort(-judged.confidences, kind="stable")
    real = np.cumsum(judged.errors[order] > beyond) / np.arange(1, count + 1)
    expected = expected_wrong(judged.confidences[order], curve, beyond=beyond)
    at = np.unique(np.linspace(0, count - 1, min(STEPS, count)).astype(np.int64))
    return RiskCurve((at + 1) / count, real[at], expected[at])


def budget_kept(judged: Judged, curve: ErrorCurve, budget: ErrorBudget) -> tuple[float, float, float]:
    """(fraction accepted, expected fraction of them wrong, actual fraction) within a budget; NaN where undefined."""
    found = affordable(judged.confidences, curve, budget)
    taken = judged.confidences >= np.float32(found.threshold)
    if not taken.any():
        return 0.0, float("nan"), float("nan")
    return float(taken.mean()), found.wrong, float((judged.errors[taken] > budget.beyond).mean())
