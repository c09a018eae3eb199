"""Detects a constant horizontal shift of the labels.

A wrong origin or rounding in a converter shifts all labels alike. In mirrored images the shift is reversed, which
reveals it, either from the images alone (`mirror_axis`) or from a model trained on images and their mirror images. A
vertical shift looks the same in the mirror and cannot be detected this way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors

from training.assist.offsets.symmetry import DRAWS, FEWEST, Image, mirror_axis
from training.errors import UserError
from training.faces.labels.schema import KeypointSchema
from training.files.tensors import open_tensors
from training.storage.runs.events import Trouble

WORTH_TELLING = 0.01  # of the inter-ocular distance: 0.3 px of a face of 96 px
_SPREAD = 1.96  # standard deviations to either side of a 95 % interval
KIND = "label-offset"


@dataclass(frozen=True)
class LabelOffset:
    """How far the labels are shifted to the right, in px of their images (negative: left), with 95 % intervals.

    per_keypoint: [K], NaN where unknown; margin: [K], half the width of the interval. by: "pictures", or the run whose
    predictions it was found with. faces: how many were used. interocular: px, of the median face.
    """

    common: float
    low: float
    high: float
    per_keypoint: np.ndarray
    margin: np.ndarray
    faces: int
    interocular: float
    by: str = "pictures"

    @property
    def worth_telling(self) -> bool:
        """Whether the whole interval exceeds 1 % of the inter-ocular distance, on one side."""
        return min(abs(self.low), abs(self.high)) > WORTH_TELLING * self.interocular and self.low * self.high > 0

    def scaled(self, factor: float) -> LabelOffset:
        """The same offset in pixels 1 / factor as large."""
        names = ("common", "low", "high", "per_keypoint", "margin", "interocular")
        return replace(self, **{name: getattr(self, name) * factor for name in names})

    @property
    def mend(self) -> float:
        """The correction: how far to move the labels to the right, in px, to two decimals."""
        return -round(self.common, 2)

    @property
    def sentence(self) -> str:
        side = "right" if self.common > 0 else "left"
        low, high = sorted((abs(self.low), abs(self.high)))
        if not self.worth_telling:
            return (
                f"The labels agree with the mirrored faces: they are shifted {self.common:+.2f} px to the right (95 % "
                f"interval {self.low:+.2f} to {self.high:+.2f}, {self.faces:,} faces), which is negligible."
            )
        return (
            f"The labels are shifted {abs(self.common):.1f} px to the {side} compared with mirrored faces "
            f"(95 % interval {low:.1f} to {high:.1f}, {self.faces:,} faces)."
        )


def from_images(image: Image, points: np.ndarray, schema: KeypointSchema, groups: np.ndarray) -> LabelOffset | None:
    """The offset from the symmetry of the images; arguments as for `mirror_axis`. None where it can't be determined."""
    axis = mirror_axis(image, points, schema, groups)
    if axis is None or not math.isfinite(axis.common):
        return None
    half = _SPREAD * float(axis.draws.std())
    low, high = axis.common - half, axis.common + half
    return LabelOffset(axis.common, low, high, axis.shift, _SPREAD * axis.error, axis.faces, axis.interocular)


def from_predictions(
    pred: np.ndarray, points: np.ndarray, schema: KeypointSchema, groups: np.ndarray, *, widths: np.ndarray, by: str
) -> LabelOffset | None:
    """The offset from predictions of a model that averages mirror images. pred, points: [N, K, 2] px, NaN if missing.

    Such a model's points mirror with the image, so it cannot have learned s_k = (r_k + r_flip(k)) / 2, where r is the
    residual label - prediction in x. A weak model pulls faces towards the middle: its error is an odd function of the
    face's position and of the direction it looks in. So s_k is fitted linearly to both; its value for a centred face
    that looks straight ahead is the offset.
    """
    flip = np.array(schema.flip)
    if (flip == np.arange(len(flip))).all() or not schema.interocular[0]:
        return None
    residual = (points - pred)[..., 0]
    both = (residual + residual[:, flip]) / 2  # [N, K], NaN where either is
    rows = np.isfinite(both).any(axis=1) & np.isfinite(pred).all(axis=(1, 2))
    if rows.sum() < FEWEST:
        return None
    pred, both, group = pred[rows], both[rows], np.unique(groups[rows], return_inverse=True)[1]
    eyes = np.stack([pred[:, list(g)].mean(axis=1) for g in schema.interocular], axis=1)
    squares, sums = _normal_equations(both, _odd(pred, eyes, flip, widths[rows]), group)
    found = _intercepts(squares, sums, np.ones((1, len(squares))))[0]
    drawn = _intercepts(squares, sums, _bootstrap(len(squares)))
    margin = _SPREAD * drawn.std(axis=0)
    told = np.isfinite(both).sum(axis=0) >= FEWEST / 2
    if not told.any():
        return None
    weight = np.where(told, 1 / np.maximum(margin, 1e-6) ** 2, 0)
    draws = drawn @ weight / weight.sum()
    common, half = float(found @ weight / weight.sum()), _SPREAD * float(draws.std())
    return LabelOffset(
        common,
        common - half,
        common + half,
        np.where(told, found, np.nan),
        np.where(told, margin, np.nan),
        int(rows.sum()),
        float(np.median(np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=1))),
        by,
    )


def _bootstrap(count: int) -> np.ndarray:
    """float64 [DRAWS, count]: how often each group is drawn."""
    random = np.random.default_rng(0)
    draws = [np.bincount(random.integers(0, count, count), minlength=count) for _ in range(DRAWS)]
    return np.stack(draws).astype(np.float64)


def _odd(pred: np.ndarray, eyes: np.ndarray, flip: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """[N, 3]: 1, and what changes sign in the mirror: how far right of the middle a face is and how far right it looks.

    [N, 2] without the last column for keypoints that have none on the midline.
    """
    where = (pred[..., 0].mean(axis=1) - (widths - 1) / 2) / widths
    middle = flip == np.arange(len(flip))
    nose = pred[:, middle, 0].mean(axis=1) if middle.any() else eyes[..., 0].mean(axis=1)
    aside = (nose - eyes[..., 0].mean(axis=1)) / widths
    return (
        np.stack([np.ones(len(pred)), where, aside], axis=1)
        if middle.any()
        else np.stack([np.ones(len(pred)), where], 1)
    )


def _normal_equations(values: np.ndarray, odd: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X'X [G, K, P, P] and X'y [G, K, P] of each group, over the rows that have a value."""
    there = np.isfinite(values)
    squares = np.einsum("nk,np,nq->nkpq", there.astype(np.float64), odd, odd)
    products = np.einsum("nk,np->nkp", np.where(there, values, 0), odd)
    count = int(group.max()) + 1
    a, b = np.zeros((count, *squares.shape[1:])), np.zeros((count, *products.shape[1:]))
    np.add.at(a, group, squares)
    np.add.at(b, group, products)
    return a, b


def _intercepts(squares: np.ndarray, sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[B, K] for weights [B, G] of the groups."""
    a = np.tensordot(weights, squares, axes=1) + 1e-9 * np.eye(squares.shape[-1])
    b = np.tensordot(weights, sums, axes=1)
    return np.asarray(np.linalg.solve(a, b[..., None])[..., 0, 0])


def learned_offsets(model: Path, *, keypoints: int) -> np.ndarray | None:
    """[K, 2], input px: the offsets label - position that a model with label offsets learned; None for other models.

    Raises UserError where the file cannot be read, or the offsets are not of these keypoints or not finite.
    """
    try:
        with open_tensors(model, framework="numpy") as stored:
            names = [n for n in stored.keys() if n.split(".")[-2:] == ["offsets", "common"]]  # noqa: SIM118
            if not names:
                return None
            if tuple(stored.get_slice(names[0]).get_shape()) != (keypoints, 2):
                raise ValueError(f"its offsets are not of {keypoints} keypoints")
            found = np.asarray(stored.get_tensor(names[0]), np.float64)
        if not np.isfinite(found).all():
            raise ValueError("its offsets are not finite")
        return found
    except (safetensors.SafetensorError, OSError, ValueError, TypeError) as error:
        raise UserError(f"The model file {model} cannot be read ({error}); train again.") from error


def offset_troubles(
    image: Image, points: np.ndarray, schema: KeypointSchema, groups: np.ndarray, *, scale: float, modelled: bool
) -> list[Trouble]:
    """At most one problem to report before training. points: in input px; scale: original px per input px.

    modelled: the network learns such an offset separately.
    """
    found = from_images(image, points, schema, groups)
    if found is None or not found.worth_telling:
        return []
    more = (
        "The offset is learned as a separate constant."
        if modelled
        else "Mirrored training images contradict the others, which no network can learn. Inspect and correct it with "
        "Label offset… in the Train menu or `fkp labels`, or turn on label_offset."
    )
    return [Trouble(KIND, f"{found.scaled(scale).sentence} {more}")]
