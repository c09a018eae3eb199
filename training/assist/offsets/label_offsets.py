"""Labels that sit off by a constant, to the left or the right: found, judged, told in a sentence. No torch.

A wrong origin or rounding in somebody's converter shifts all labels alike. Mirrored, the pictures say the opposite; that
gives such a shift away, from the pictures alone (training/assist/offsets/symmetry.py) or by what a model learnt from pictures and
mirrored pictures together. A shift up or down looks the same in the mirror and can't be found so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors

from training.assist.offsets.symmetry import DRAWS, FEWEST, Picture, mirror_axis
from training.errors import UserError
from training.faces.labels.schema import KeypointSchema
from training.storage.runs.events import Trouble

WORTH_TELLING = 0.01  # of the interocular distance: 0.3 px of a face of 96 px
_SPREAD = 1.96  # standard deviations to either side of a 95 % interval
KIND = "label-offset"


@dataclass(frozen=True)
class LabelOffset:
    """How far labels lie too far to the right, px of their pictures (negative: to the left), with 95 % intervals.

    per_keypoint: [K], NaN where nothing can be told; margin: [K], half the width of the interval. by: "pictures", or the
    run by whose predictions it was found. faces: how many were looked at. interocular: px, of the usual face.
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
        """Whether the whole interval lies beyond 1 % of the interocular distance, on one side."""
        return min(abs(self.low), abs(self.high)) > WORTH_TELLING * self.interocular and self.low * self.high > 0

    def scaled(self, factor: float) -> LabelOffset:
        """The same in pixels that are 1 / factor as large."""
        names = ("common", "low", "high", "per_keypoint", "margin", "interocular")
        return replace(self, **{name: getattr(self, name) * factor for name in names})

    @property
    def mend(self) -> float:
        """By how much to move the labels to the right, px to two digits."""
        return -round(self.common, 2)

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        side = "right" if self.common > 0 else "left"
        low, high = sorted((abs(self.low), abs(self.high)))
        if not self.worth_telling:
            return (
                f"The labels agree with the mirrored faces: they sit {self.common:+.2f} px to the right of where these say "
                f"they should (95 % interval {self.low:+.2f} to {self.high:+.2f}, {self.faces:,} faces), less than matters."
            )
        return (
            f"The labels sit {abs(self.common):.1f} px too far to the {side} of where mirrored faces say they should "
            f"(95 % interval {low:.1f} to {high:.1f}, {self.faces:,} faces)."
        )


def from_pictures(
    picture: Picture, points: np.ndarray, schema: KeypointSchema, groups: np.ndarray
) -> LabelOffset | None:
    """The offset by the pictures' own symmetry; arguments as of `mirror_axis`. None where it can't be told."""
    axis = mirror_axis(picture, points, schema, groups)
    if axis is None or not math.isfinite(axis.common):
        return None
    half = _SPREAD * float(axis.draws.std())
    return LabelOffset(
        axis.common, axis.common - half, axis.common + half, axis.shift, _SPREAD * axis.error, axis.faces, axis.interocular
    )  # fmt: skip


def from_predictions(
    pred: np.ndarray, points: np.ndarray, schema: KeypointSchema, groups: np.ndarray, *, widths: np.ndarray, by: str
) -> LabelOffset | None:
    """The offset by what a model says that averages mirror images. pred, points: [N, K, 2] px, NaN where there is none.

    Such a model's points are mirrored with the picture, so it can't have learnt s_k = (r_k + r_flip(k)) / 2 with r the x
    residual label less prediction. A weak model draws faces to the middle: it errs by an odd function of where the face is
    and looks. So s_k is fitted linearly to both, and what it is for a face in the middle, looking ahead, is the offset.
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
    distance = np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=1)
    squares, sums = _normal_equations(both, _odd(pred, eyes, flip, widths[rows]), group)
    random, count = np.random.default_rng(0), len(squares)
    weights = np.stack([np.bincount(random.integers(0, count, count), minlength=count) for _ in range(DRAWS)])
    found = _intercepts(squares, sums, np.ones((1, count)))[0]
    margin = _SPREAD * _intercepts(squares, sums, weights.astype(np.float64)).std(axis=0)
    told = np.isfinite(both).sum(axis=0) >= FEWEST / 2
    if not told.any():
        return None
    weight = np.where(told, 1 / np.maximum(margin, 1e-6) ** 2, 0)
    draws = _intercepts(squares, sums, weights.astype(np.float64)) @ weight / weight.sum()
    common, half = float(found @ weight / weight.sum()), _SPREAD * float(draws.std())
    return LabelOffset(
        common, common - half, common + half, np.where(told, found, np.nan), np.where(told, margin, np.nan),
        int(rows.sum()), float(np.median(distance)), by,
    )  # fmt: skip


def _odd(pred: np.ndarray, eyes: np.ndarray, flip: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """[N, 3]: 1, and what changes its sign in the mirror: how far right of the middle a face is, and how far right it looks."""
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
    """X'X [G, K, P, P] and X'y [G, K, P] of each group, over its rows that have a value."""
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


def learnt_offsets(model: Path) -> np.ndarray | None:
    """What a model with label offsets has learnt of them: [K, 2], px of its input, label less place; None for others.

    Raises UserError where the file cannot be read.
    """
    try:
        with safetensors.safe_open(model, framework="numpy") as stored:
            names = [n for n in stored.keys() if n.split(".")[-2:] == ["offsets", "common"]]  # noqa: SIM118  - not a dict
            return np.asarray(stored.get_tensor(names[0]), np.float64) if names else None
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"The model file {model} cannot be read ({error}); train anew.") from error


def offset_troubles(
    picture: Picture, points: np.ndarray, schema: KeypointSchema, groups: np.ndarray, *, scale: float, modelled: bool
) -> list[Trouble]:
    """At most one sentence before a training, on labels in px of its input. scale: px of the originals a px of the input.

    modelled: the network learns such an offset beside the places.
    """
    found = from_pictures(picture, points, schema, groups)
    if found is None or not found.worth_telling:
        return []
    more = (
        "The network learns that beside the places."
        if modelled
        else "Mirrored training pictures contradict the others, and no network can learn that. Look at it and mend it with "
        "Offset of labels… in the menu Train or `fkp labels`, or switch label_offset on."
    )
    return [Trouble(KIND, f"{found.scaled(scale).sentence} {more}")]
