"""The fill model of a run: the covariance of its point errors, saved as `fill.npz` beside the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.assist.filling.conditional import conditional
from training.assist.filling.covariance import fit_covariance
from training.errors import UserError
from training.faces.labels.labels import Labels
from training.faces.measures.error_curve import USUAL_POWER
from training.files.arrays import read_archive
from training.files.replacing import replacing
from training.storage.project.tables.predictions import Predictions

FEWEST = 5  # minimum number of faces with at least two labels
MOST_KEYPOINTS = 2000


@dataclass(frozen=True)
class FillModel:
    """The joint distribution of a run's point errors.

    covariance: float64 [2K, 2K], second moments of label - prediction, x then y per keypoint, as fractions of the
    image's width and height. faces: the number of faces it was fitted on.
    """

    covariance: np.ndarray
    faces: int

    @property
    def keypoints(self) -> int:
        return len(self.covariance) // 2

    def condition(
        self, points: np.ndarray, known: np.ndarray, mask: np.ndarray, *, size: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The most likely points [K, 2] and covariances [K, 2, 2] px^2 of a face, given its labels.

        points: predictions [K, 2] px. known: labels [K, 2] px, of which those in `mask` [K] count and are returned
        unchanged. size: width and height of the image, px. Without labels the prediction is returned. NaN stays NaN.
        """
        found, covariances = self.condition_all(points[None], known[None], mask[None], sizes=np.array([size]))
        return found[0], covariances[0]

    def condition_all(
        self, points: np.ndarray, known: np.ndarray, mask: np.ndarray, *, sizes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `condition`, for N faces: points, known [N, K, 2], mask [N, K], sizes [N, 2]."""
        unit = np.asarray(sizes, np.float64)[:, None, :]  # [N, 1, 2]
        errors = (np.asarray(known, np.float64) - points) / unit
        mask = mask & np.isfinite(errors).all(axis=-1)
        moved, covariances = np.zeros_like(errors), np.zeros((*mask.shape, 2, 2))
        patterns, which = np.unique(mask, axis=0, return_inverse=True)
        for n, pattern in enumerate(patterns):
            rows = which.ravel() == n
            counted = np.where(pattern[:, None], errors[rows], 0)
            moved[rows], covariances[rows] = conditional(counted, pattern, self.covariance)
        return points + moved * unit, covariances * unit[..., None] * unit[..., None, :]

    def variance_left(self, covariances: np.ndarray, *, sizes: np.ndarray) -> np.ndarray:
        """[N, K]: the share of a point's variance left given the labels, 0..1. covariances [N, K, 2, 2] px^2."""
        unit = np.asarray(sizes, np.float64)[:, None, :] ** 2
        left = np.diagonal(covariances, axis1=-2, axis2=-1) / unit
        before = np.diag(self.covariance).reshape(-1, 2)
        return np.clip(left.sum(axis=-1) / before.sum(axis=-1), 1e-6, 1)

    def save(self, path: Path) -> None:
        """Save to a file. Raises UserError if it cannot be written."""
        with replacing(path) as file:
            np.savez(file, covariance=self.covariance.astype("<f8"), faces=np.array(self.faces, "<i8"))

    @classmethod
    def load(cls, path: Path) -> FillModel:
        """Load a file written by `save`. Raises UserError if it is missing or damaged."""
        try:
            values = read_archive(path, ("covariance", "faces"))
            _check(values["covariance"])
            if values["faces"].shape or values["faces"].dtype.kind not in "iu":
                raise ValueError("it was fitted on no number of faces")
            found = cls(values["covariance"], int(values["faces"]))
        except (OSError, ValueError) as error:
            what = "is damaged" if path.is_file() else "is missing"
            raise UserError(f"The fill model {path} {what} ({error}); plain predictions are used.") from error
        return found


def _check(covariance: np.ndarray) -> None:
    """Raise ValueError unless this is a valid error covariance."""
    if covariance.ndim != 2 or covariance.dtype != np.float64:
        raise ValueError("not a matrix of numbers")
    size = len(covariance)
    if covariance.shape != (size, size) or size % 2 or not 0 < size <= 2 * MOST_KEYPOINTS:
        raise ValueError(f"its shape is {covariance.shape}")
    if not np.isfinite(covariance).all() or not np.allclose(covariance, covariance.T):
        raise ValueError("not a symmetric matrix")
    try:
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise ValueError("not a covariance matrix") from None


def fit_fill(points: np.ndarray, labels: np.ndarray, sizes: np.ndarray) -> FillModel | None:
    """Fit a fill model to predictions and labels of held-out faces; None if too few faces have two labels.

    points, labels: [N, K, 2] px, NaN if missing. sizes: [N, 2], image sizes in px.
    """
    unit = np.asarray(sizes, np.float64)[:, None, :]
    errors = (labels - points) / unit
    there = np.isfinite(errors).all(axis=-1)
    rows = there.sum(axis=1) >= 2
    if rows.sum() < FEWEST:
        return None
    errors = np.where(there[..., None], errors, np.nan)[rows]
    shape = np.nan_to_num(points[rows] / unit[rows]).mean(axis=0)
    return FillModel(fit_covariance(errors, shape), int(rows.sum()))


def given_labels(
    fill: FillModel, labels: Labels, predictions: Predictions, sizes: np.ndarray
) -> tuple[Predictions, np.ndarray]:
    """The predictions of B faces given their labels, and the points' covariances [B, K, 2, 2] px^2. sizes [B, 2] px.

    A labelled point keeps the run's prediction. The probability of an error above t is exp(-(t / scale)^k), with
    k = USUAL_POWER (training.faces.measures.error_curve). If a share r of the variance is left, the scale shrinks by
    sqrt(r), so 1 - confidence becomes (1 - confidence)^(r^(-k / 2)).
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
