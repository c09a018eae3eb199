"""The fill model of a run: how its errors go together, in `fill.npz` beside the model. Torch-free."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.assist.filling.conditional import conditional
from training.assist.filling.covariance import fit_covariance
from training.errors import UserError
from training.files import replacing
from training.npz import read_array
from training.storage.runs.folder import MODEL, model_file

FILL = "fill.npz"
FEWEST = 5  # faces with two labels or more; with less nothing is learnt
MOST_KEYPOINTS = 2000


@dataclass(frozen=True)
class FillModel:
    """covariance: float64 [2K, 2K], second moments of label - prediction, x then y of each keypoint, in fractions of the
    picture's width and height. faces: how many it was fitted on."""

    covariance: np.ndarray
    faces: int

    @property
    def keypoints(self) -> int:
        """K."""
        return len(self.covariance) // 2

    def condition(
        self, points: np.ndarray, known: np.ndarray, mask: np.ndarray, *, size: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """A face's predicted points [K, 2] and labels `known` [K, 2] (px), of which `mask` [K] count -> points [K, 2] that
        stand at the labels where these count and elsewhere where they make them likeliest, and covariances [K, 2, 2] px^2.

        size: width and height of the picture, px. Nothing known: the prediction itself. NaN stays NaN.
        """
        found, covariances = self.condition_all(points[None], known[None], mask[None], sizes=np.array([size]))
        return found[0], covariances[0]

    def condition_all(
        self, points: np.ndarray, known: np.ndarray, mask: np.ndarray, *, sizes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `condition`, of N faces: points, known [N, K, 2], mask [N, K], sizes [N, 2]."""
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
        """[N, K]: how much of a point's variance is left when the labels are known, 0..1. covariances [N, K, 2, 2] px^2."""
        unit = np.asarray(sizes, np.float64)[:, None, :] ** 2
        left = np.diagonal(covariances, axis1=-2, axis2=-1) / unit
        before = np.diag(self.covariance).reshape(-1, 2)
        return np.clip(left.sum(axis=-1) / before.sum(axis=-1), 1e-6, 1)

    def save(self, path: Path) -> None:
        """Raises UserError where it cannot be written."""
        with replacing(path) as file:
            np.savez(file, covariance=self.covariance.astype("<f8"), faces=np.array(self.faces, "<i8"))

    @classmethod
    def load(cls, path: Path) -> FillModel:
        """Raises UserError where the file is missing, damaged, or not what `save` writes."""
        try:
            with zipfile.ZipFile(path) as archive:
                found = cls(read_array(archive, "covariance"), int(read_array(archive, "faces")))
            _check(found.covariance)
        except (
            OSError,
            KeyError,
            ValueError,
            TypeError,
            NotImplementedError,
            RuntimeError,
            zipfile.BadZipFile,
        ) as error:
            what = "is damaged" if path.is_file() else "is missing"
            raise UserError(f"The fill model {path} {what} ({error}); missing points are predicted plainly.") from error
        return found


def _check(covariance: np.ndarray) -> None:
    """Raise ValueError where this cannot be the covariance of a face's errors."""
    if covariance.ndim != 2 or covariance.dtype != np.float64:
        raise ValueError("not a table of numbers")
    size = len(covariance)
    if covariance.shape != (size, size) or size % 2 or not 0 < size <= 2 * MOST_KEYPOINTS:
        raise ValueError(f"its shape is {covariance.shape}")
    if not np.isfinite(covariance).all() or not np.allclose(covariance, covariance.T):
        raise ValueError("not symmetric numbers")
    try:
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise ValueError("not a covariance") from None


def fill_path(run: Path) -> Path:
    """Where the fill model is kept: `fill.npz` in a run folder, `NAME.fill.npz` beside a model file `NAME.safetensors` or a
    starter (by the path that stands for it)."""
    model = model_file(run)
    return model.with_name(FILL) if model.name == MODEL else model.with_suffix(f".{FILL}")


def fit_fill(points: np.ndarray, labels: np.ndarray, sizes: np.ndarray) -> FillModel | None:
    """The fill model of predictions and labels [N, K, 2] px (NaN where there is none) of faces it was not trained on, in
    pictures of `sizes` [N, 2]; None where too few faces have two labels."""
    unit = np.asarray(sizes, np.float64)[:, None, :]
    errors = (labels - points) / unit
    there = np.isfinite(errors).all(axis=-1)
    rows = there.sum(axis=1) >= 2
    if rows.sum() < FEWEST:
        return None
    errors = np.where(there[..., None], errors, np.nan)[rows]
    shape = np.nan_to_num(points[rows] / unit[rows]).mean(axis=0)
    return FillModel(fit_covariance(errors, shape), int(rows.sum()))
