"""A run's predictions conditioned on the existing labels."""

from __future__ import annotations

import numpy as np

from training.assist.filling.model import FillModel
from training.faces.labels.labels import Labels
from training.faces.measures.error_curve import USUAL_POWER
from training.storage.project.predictions import Predictions


def given_labels(
    fill: FillModel, labels: Labels, predictions: Predictions, sizes: np.ndarray
) -> tuple[Predictions, np.ndarray]:
    """The predictions of B faces given their labels, and the points' covariances [B, K, 2, 2] px^2. sizes [B, 2] px.

    A labelled point keeps the run's prediction. The probability of an error above t is exp(-(t / scale)^k), with
    k = USUAL_POWER (training.faces.measures.error_curve). If a share r of the variance is left, the scale shrinks by sqrt(r), so
    1 - confidence becomes (1 - confidence)^(r^(-k / 2)).
    """
    known = labels.vouched
    plain = predictions.points.astype(np.float64)
    points, covariances = fill.condition_all(plain, labels.points, known, sizes=sizes)
    left = np.where(known, 1, fill.variance_left(covariances, sizes=sizes))
    confidences = 1 - (1 - predictions.confidences.astype(np.float64)) ** (left ** (-USUAL_POWER / 2))
    there = np.where(known[..., None], plain, points)
    return Predictions(there.astype(np.float32), confidences.astype(np.float32)), covariances


def expected_error(covariances: np.ndarray) -> np.ndarray:
    """The mean error in px of points with covariance [..., 2, 2]: sqrt(pi / 2) of the standard deviation."""
    return np.asarray(np.sqrt(np.pi / 4 * np.trace(covariances, axis1=-2, axis2=-1)))
