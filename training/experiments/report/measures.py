"""The measures of a table, as sums over faces, so that a bootstrap can resample faces without predicting again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.faces.measures.metrics import DETECTION_LIMIT

PAPER_WIDTH = 96  # px: the image width in the masked-loss paper
TURNED_DEGREES = 30.0  # of true yaw: faces from this on count as turned


@dataclass(frozen=True)
class Measure:
    """A measure for which smaller is better. unit: "px" or "%" (stored as a fraction, shown times 100)."""

    name: str
    title: str
    unit: Literal["px", "%"]
    decimals: int
    help: str

    def text(self, value: float) -> str:
        """The value as text with its unit; a dash if it is not finite."""
        if not np.isfinite(value):
            return "–"
        return f"{value * self.factor:.{self.decimals}f} {self.unit}"

    @property
    def factor(self) -> float:
        """The factor from the stored value to the shown one."""
        return 100.0 if self.unit == "%" else 1.0


MEASURES: dict[str, Measure] = {
    m.name: m
    for m in (
        Measure(
            "rmse_96", "RMSE", "px", 2, "over all coordinates, in px of an image 96 px wide (masked-loss paper, Eq. 8)"
        ),
        Measure(
            "failures",
            "points over 10 %",
            "%",
            1,
            "share of points with an error above 10 % of the image width (masked-loss paper, Eq. 7)",
        ),
        Measure(
            "nme_box",
            "NME, box",
            "%",
            2,
            "mean point error of a face by the square root of the area of its points' bounding box",
        ),
        Measure(
            "nme_interocular", "NME, inter-ocular", "%", 2, "mean point error of a face by the distance of the eyes"
        ),
        Measure("point_error", "point error", "px", 2, "mean point error, in px of an image 96 px wide"),
    )
}


@dataclass(frozen=True)
class Faces:
    """The N faces that all arms are measured on.

    ids: int64 [N]. groups: int64 [N], faces of one person (or photo) share a number. widths: float [N], image width in
    px. lengths: normaliser -> float [N] px, NaN if a face lacks it. pose: float [N], yaw in degrees or a pose
    coefficient, NaN if unknown; pose_name says which. turned: bool [N], the faces in profile view.
    """

    ids: np.ndarray
    groups: np.ndarray
    widths: np.ndarray
    lengths: dict[str, np.ndarray]
    pose: np.ndarray
    pose_name: str
    turned: np.ndarray

    @property
    def grouped(self) -> bool:
        """Whether some faces share a group."""
        return len(np.unique(self.groups)) < len(self.groups)


@dataclass(frozen=True)
class Terms:
    """A measure of one run: sum(numerator) / sum(denominator), or its square root if `root`. Both float [N]."""

    numerator: np.ndarray
    denominator: np.ndarray
    root: bool

    def value(self) -> float:
        """The measure over all faces; NaN if there are none."""
        return float(ratio(self.numerator.sum(), self.denominator.sum(), root=self.root))

    def of(self, chosen: np.ndarray) -> Terms:
        """The same measure restricted to the faces bool [N]."""
        return Terms(np.where(chosen, self.numerator, 0.0), np.where(chosen, self.denominator, 0.0), self.root)


def ratio(numerator: np.ndarray, denominator: np.ndarray, *, root: bool) -> np.ndarray:
    """numerator / denominator, NaN where the denominator is 0; the square root of that if `root`."""
    whole = np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1.0), np.nan)
    return np.sqrt(whole) if root else whole


def terms(name: str, distances: np.ndarray, faces: Faces) -> Terms:
    """The measure `name` of point errors [N, K] (px of the original image, NaN without a label)."""
    present = np.isfinite(distances)
    count = present.sum(axis=1).astype(np.float64)
    width = faces.widths[:, None]
    known = np.where(present, distances, 0.0)
    if name == "rmse_96":  # a labelled point has both coordinates: two for each distance
        return Terms(np.square(known * (PAPER_WIDTH / width)).sum(axis=1), 2 * count, root=True)
    if name == "point_error":
        return Terms((known * (PAPER_WIDTH / width)).sum(axis=1), count, root=False)
    if name == "failures":
        return Terms((known > DETECTION_LIMIT * width).sum(axis=1).astype(np.float64), count, root=False)
    nme = face_nme(distances, faces, name.removeprefix("nme_"))
    counted = np.isfinite(nme)
    return Terms(np.where(counted, nme, 0.0), counted.astype(np.float64), root=False)


def face_nme(distances: np.ndarray, faces: Faces, normaliser: str) -> np.ndarray:
    """The mean point error of each face divided by its normaliser: [N], NaN where either is missing."""
    present = np.isfinite(distances)
    count = present.sum(axis=1)
    mean = np.where(present, distances, 0.0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan) / faces.lengths[normaliser]


def keypoint_terms(distances: np.ndarray, faces: Faces, keypoint: int) -> Terms:
    """The mean error of one keypoint, px of an image 96 px wide."""
    return terms("point_error", distances[:, keypoint : keypoint + 1], faces)
