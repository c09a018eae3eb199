"""A run's predictions given the labels that are there. Torch-free."""

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

    At a labelled point stays what the run says. An error beyond t has the probability exp(-(t / scale)^k), k = USUAL_POWER
    (training.faces.measures.error_curve); with a share r of the variance left the scale is sqrt(r) of what it was, so that 1 - confidence
    becomes (1 - confidence)^(r^(-k / 2)).
    """
    known = labels.vouched
    plain = predictions.points.astype(np.float64)
    points, covariances = fill.condition_all(plain, labels.points, known, sizes=sizes)
    left = np.where(known, 1, fill.variance_left(covariances, sizes=sizes))
    confidences = 1 - (1 - predictions.confidences.astype(np.float64)) ** (left ** (-USUAL_POWER / 2))
    there = np.where(known[..., None], plain, points)
    return Predictions(there.astype(np.float32), confidences.astype(np.float32)), covariances


def expected_error(covariances: np.ndarray) -> np.ndarray:
    """The distance [...] that a point of covariance [..., 2, 2] is off on the average, px: sqrt(pi / 2) of its deviation."""
    return np.asarray(np.sqrt(np.pi / 4 * np.trace(covariances, axis1=-2, axis2=-1)))
