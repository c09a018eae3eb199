"""Pose-based data balancing (PDB): estimates head poses and how often to repeat each face so that poses are balanced.

From the Wing loss paper (Feng et al., CVPR 2018), section 5, extended to any schema and to faces with missing points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from training.errors import UserError
from training.faces.measures.shapes import LEAST_POINTS, ShapeModel, fit_shapes, to_complex, to_points

ENOUGH = 0.75  # fraction of the pose's variance that a face's points must determine
MOST_COPIES = 10  # per face: the only face of an extreme bin may well be mislabelled
FAR = 4.0  # root mean squares: anything further out goes to the outermost bins
RARE = 0.01  # keypoints that a smaller fraction of the faces have are ignored


@dataclass(frozen=True)
class Pose:
    """The poses of N faces, and the model to compute those of others with the same keypoints.

    coefficients: [N], in standard deviations of the fitted faces; above 0 the face looks towards larger x; NaN where a
    face's points do not determine it. mean_shape: [K, 2], of unit size. component: [K, 2], how one standard deviation
    moves it. Both are NaN for keypoints that hardly any face has. share: of the variance of aligned shapes, 0..1.
    """

    coefficients: np.ndarray
    mean_shape: np.ndarray
    component: np.ndarray
    share: float
    model: ShapeModel = field(repr=False)
    mode: int  # of the model
    sign: float
    known: np.ndarray = field(repr=False)  # bool [K], keypoints that the model has

    @property
    def lacking(self) -> int:
        """How many faces lack the points that would determine their pose."""
        return int(np.isnan(self.coefficients).sum())

    def of(self, points: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The coefficients [M] of other faces with points [M, K, 2] and mask [M, K]."""
        return _coefficients(self.model, self.mode, self.sign, *to_complex(points[:, self.known], mask[:, self.known]))


def pose_components(points: np.ndarray, mask: np.ndarray, *, flip: Sequence[int] | None = None) -> Pose:
    """The poses of faces with points [N, K, 2] where mask [N, K]; flip: the schema's mirror partners.

    The shapes are aligned to their mean (generalised Procrustes analysis) and decomposed by PCA. With left-right pairs
    each shape is used together with its mirror image, so that a mode is either symmetric or antisymmetric. The
    antisymmetric mode with the largest variance is the pose, since turning the head is what moves left and right apart
    most; mirroring a face exactly negates its coefficient. Without pairs the pose is the mode with the largest
    variance.

    A face is fitted with the points it has. Its coefficient is NaN with fewer than three points, or if they determine
    less than three quarters of the coefficient's variance. Deterministic. Raises UserError where poses cannot be
    computed.
    """
    shapes, there = to_complex(points, mask)
    partners = np.arange(shapes.shape[1]) if flip is None else np.asarray(flip)
    usable = there.sum(axis=1) >= LEAST_POINTS
    known = there[usable].sum(axis=0) >= max(RARE * usable.sum(), 1)
    known &= known[partners]
    usable &= there[:, known].sum(axis=1) >= LEAST_POINTS
    if usable.sum() < LEAST_POINTS:
        raise UserError(
            f"Head poses cannot be computed: this needs {LEAST_POINTS} faces with {LEAST_POINTS} labelled points each, "
            f"and there are {usable.sum()}. Label more points."
        )
    shapes, there = shapes[:, known], there[:, known]
    pairs = _renumbered(partners, known)
    model = fit_shapes(shapes[usable], there[usable], flip=pairs)
    mode = int(np.argmax(model.variances if pairs is None else model.variances * model.antisymmetric))
    sign = _sign(model, mode)
    return Pose(
        coefficients=_coefficients(model, mode, sign, shapes, there),
        mean_shape=_spread(to_points(model.mean), known),
        component=_spread(sign * np.sqrt(model.variances[mode]) * to_points(model.modes[mode]), known),
        share=float(model.variances[mode] / model.total),
        model=model,
        mode=mode,
        sign=sign,
        known=known,
    )


def _coefficients(model: ShapeModel, mode: int, sign: float, shapes: np.ndarray, there: np.ndarray) -> np.ndarray:
    found, rest = model.fit(shapes, there)
    enough = (there.sum(axis=1) >= LEAST_POINTS) & (1 - rest[:, mode] / model.variances[mode] >= ENOUGH)
    return np.where(enough, sign * found[:, mode] / np.sqrt(model.variances[mode]), np.nan)


def _renumbered(partners: np.ndarray, known: np.ndarray) -> np.ndarray | None:
    """The mirror partners among the known keypoints; None if there are no pairs."""
    number = np.cumsum(known) - 1
    pairs = number[partners[known]]
    return None if (pairs == np.arange(len(pairs))).all() else pairs


def _sign(model: ShapeModel, mode: int) -> float:
    """When a face turns to larger x, points near its middle, which lie in front, move there relative to outer ones."""
    far = np.abs(model.mean.real)
    moved = float((model.modes[mode].real * (far.mean() - far)).sum())
    return 1.0 if moved >= 0 else -1.0


def _spread(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    result = np.full((len(known), *values.shape[1:]), np.nan)
    result[known] = values
    return result


@dataclass(frozen=True)
class Balance:
    """How often each of N faces is used. edges: [K + 1], of the bins. bins: int [N], -1 for a face without a pose.

    copies: int [N], at least 1.
    """

    edges: np.ndarray
    bins: np.ndarray
    copies: np.ndarray

    @property
    def before(self) -> np.ndarray:
        """int [K]: faces per bin."""
        return np.bincount(self.bins[self.bins >= 0], minlength=len(self.edges) - 1)

    @property
    def after(self) -> np.ndarray:
        """int [K]: faces per bin, copies included."""
        placed = self.bins >= 0
        counts = np.bincount(self.bins[placed], weights=self.copies[placed], minlength=len(self.edges) - 1)
        return counts.astype(np.int64)

    @property
    def rows(self) -> np.ndarray:
        """int64: each face's row, repeated as often as it is used, ascending."""
        return np.repeat(np.arange(len(self.copies)), self.copies)


def balance(coefficients: np.ndarray, *, bins: int, seed: int) -> Balance:
    """Duplicate faces of the emptier bins until each bin holds as many as the fullest (Wing paper, section 5).

    The paper does not say how far its bins are filled. Here they are filled up to the fullest, with at most ten copies
    of a face. Copies are spread evenly within a bin; the seed decides which faces get one more. A face without a
    coefficient (NaN) is used once.
    """
    values = np.asarray(coefficients, np.float64)
    edges = pose_edges(values, bins=bins)
    places = bins_of(values, edges)
    copies = np.ones(len(values), np.int64)
    rng = np.random.default_rng(seed)
    fullest = np.bincount(places[places >= 0], minlength=bins).max(initial=0)
    for place in range(bins):
        rows = np.flatnonzero(places == place)
        if len(rows):
            each, more = divmod(min(int(fullest), MOST_COPIES * len(rows)), len(rows))
            copies[rows] = each
            copies[rng.permutation(rows)[:more]] += 1
    return Balance(edges, places, copies)


def pose_edges(coefficients: np.ndarray, *, bins: int) -> np.ndarray:
    """[K + 1]: edges of bins of equal width from the smallest to the largest coefficient, within 4 root mean
    squares."""
    values = coefficients[np.isfinite(coefficients)]
    if not len(values):
        return np.linspace(-1.0, 1.0, bins + 1)
    far = FAR * float(np.sqrt(np.mean(values**2)))
    low, high = max(float(values.min()), -far), min(float(values.max()), far)
    return np.linspace(low, high, bins + 1) if high > low else np.linspace(low - 0.5, low + 0.5, bins + 1)


def bins_of(coefficients: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """[N]: the bin of each coefficient.

    An edge belongs to the bin above, outliers to the outermost bins; -1 for NaN.
    """
    places = np.clip(np.searchsorted(edges, coefficients, side="right") - 1, 0, len(edges) - 2)
    return np.where(np.isfinite(coefficients), places, -1)


@dataclass(frozen=True)
class PoseError:
    """Faces of one pose bin: its low and high edge, how many have an error, and their mean error (NaN if none)."""

    low: float
    high: float
    faces: int
    error: float


def error_by_pose(errors: np.ndarray, coefficients: np.ndarray, edges: np.ndarray) -> list[PoseError]:
    """The mean error of the faces in each bin. errors: [N], per face, in any unit; faces with NaN in either are
    skipped.

    coefficients: from `pose_components`, or true angles; edges: [K + 1] in the same unit. Outliers go to the outermost
    bins.
    """
    errors, coefficients = np.asarray(errors, np.float64), np.asarray(coefficients, np.float64)
    places = np.where(np.isfinite(errors), bins_of(coefficients, np.asarray(edges)), -1)
    groups = [errors[places == place] for place in range(len(edges) - 1)]
    return [
        PoseError(float(low), float(high), len(group), float(group.mean()) if len(group) else float("nan"))
        for low, high, group in zip(edges[:-1], edges[1:], groups, strict=True)
    ]
