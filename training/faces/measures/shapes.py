"""Shapes of faces with missing points: generalised Procrustes analysis and PCA.

A shape is K complex numbers x + iy (px, y down), so that a similarity is one multiplication and one addition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_POINTS = 3  # a similarity uses up four of a face's numbers; the rest must say something about its shape
FIT_FACES = 4000  # the model is fitted to at most this many faces, evenly spread
_MOST_MODES = 8
_ROUNDS = 12
_CHUNK = 8192


@dataclass(frozen=True)
class ShapeModel:
    """A mean of unit size and orthonormal modes about it.

    mean: complex [K]. modes: complex [Q, K]. variances: [Q], descending within symmetric and antisymmetric modes.
    noise: variance of a coordinate that no mode explains. antisymmetric: bool [Q], modes that mirroring negates; all
    False without left-right pairs.
    """

    mean: np.ndarray
    modes: np.ndarray
    variances: np.ndarray
    noise: float
    antisymmetric: np.ndarray

    @property
    def total(self) -> float:
        """The variance of a whole shape, similarity removed."""
        return float(self.variances.sum() + self.noise * max(2 * len(self.mean) - 4 - len(self.modes), 0))

    def fit(self, shapes: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each face's modes [N, Q] from the points it has, and the remaining variance of each [N, Q].

        The similarity and all modes are solved for together by least squares, with the modes' variances as the prior
        (the mean of a Gaussian given the observed points). shapes: complex [N, K], there: bool [N, K].
        """
        means, rests = [], []
        for start in range(0, len(shapes), _CHUNK):
            part = slice(start, start + _CHUNK)
            found, rest = _solve(self, align(shapes[part], there[part], self.mean), there[part])
            means.append(found[:, : len(self.modes)])
            rests.append(rest[:, : len(self.modes)])
        none = np.zeros((0, len(self.modes)))
        return np.concatenate([none, *means]), np.concatenate([none, *rests])


def to_complex(points: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[N, K, 2] with mask [N, K] -> complex [N, K], 0 where missing, and bool [N, K], which are present."""
    there = np.asarray(mask, bool) & np.isfinite(points).all(axis=-1)
    found = np.where(there[..., None], points, 0).astype(np.float64)
    return found[..., 0] + 1j * found[..., 1], there


def to_points(shape: np.ndarray) -> np.ndarray:
    """Complex [..., K] -> [..., K, 2]."""
    return np.stack([shape.real, shape.imag], axis=-1)


def align(shapes: np.ndarray, there: np.ndarray, mean: np.ndarray, *, by: np.ndarray | None = None) -> np.ndarray:
    """Move, rotate and scale each face to fit the mean (least squares) at its points `by`, or all it has.

    0 where a point is missing.
    """
    by = there if by is None else by
    count = np.maximum(by.sum(axis=1), 1)[:, None]
    origin, middle = (shapes * by).sum(axis=1)[:, None] / count, (by @ mean)[:, None] / count
    moved = (shapes - origin) * by
    size = np.maximum((np.abs(moved) ** 2).sum(axis=1), 1e-12)[:, None]
    turn = (moved.conj() * (mean - middle) * by).sum(axis=1)[:, None] / size
    return (turn * (shapes - origin) + middle) * there


def mirror(shapes: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """Mirror centred shapes, swapping left and right."""
    return -shapes[..., flip].conj()


def fit_shapes(shapes: np.ndarray, there: np.ndarray, *, flip: np.ndarray | None) -> ShapeModel:
    """The model of faces [N, K], in which each keypoint occurs at least once.

    Alternates between filling in missing points from the model and fitting the model again; a face is weighted by the
    fraction of its points that are present. With mirror partners `flip`, every face is used with its mirror image.
    """
    rows = np.linspace(0, len(shapes) - 1, min(len(shapes), FIT_FACES)).astype(np.int64)
    shapes, there = shapes[rows], there[rows]
    mean = _first_mean(shapes, there, flip)
    weights = there.mean(axis=1)
    filled = np.where(there, align(shapes, there, mean), mean)
    model = _decompose(filled, weights, there=there, mean=mean, flip=flip)
    for _ in range(_ROUNDS):
        found, _rest = _solve(model, np.where(there, filled, 0), there)
        likeness = model.mean + found @ _directions(model)
        filled = align(np.where(there, filled, likeness), np.ones_like(there), model.mean)
        mean = _normalised(weights @ filled / weights.sum(), flip)
        model = _decompose(filled, weights, there=there, mean=mean, flip=flip)
    return model


def _first_mean(shapes: np.ndarray, there: np.ndarray, flip: np.ndarray | None) -> np.ndarray:
    """An initial mean: of the faces with the most points, unaligned, then of all faces aligned to that."""
    counts = there.sum(axis=1)
    known = there[np.argmax(counts)]
    like = shapes[(there == known).all(axis=1)][:, known]
    like = like - like.mean(axis=1, keepdims=True)
    mean = np.zeros(shapes.shape[1], complex)
    mean[known] = (like / np.maximum(np.linalg.norm(like, axis=1, keepdims=True), 1e-12)).mean(axis=0)
    for _ in range(3):
        both = there & known
        good = both.sum(axis=1) >= 2
        turned = align(shapes[good], there[good], mean, by=both[good])
        seen = there[good].sum(axis=0)
        known = seen > 0
        mean = _normalised(np.where(known, turned.sum(axis=0) / np.maximum(seen, 1), 0), flip)
    return mean


def _normalised(mean: np.ndarray, flip: np.ndarray | None) -> np.ndarray:
    """Centred, of unit size, and symmetric where there are pairs."""
    mean = mean - mean.mean()
    if flip is not None:
        mean = (mean + mirror(mean, flip)) / 2
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


def _similarity(mean: np.ndarray) -> np.ndarray:
    """How scaling, rotating and moving change the mean, to first order: complex [4, K], orthonormal."""
    even = np.full(len(mean), 1 / np.sqrt(len(mean)))
    return np.stack([mean, 1j * mean, even + 0j, 1j * even])


def _directions(model: ShapeModel) -> np.ndarray:
    """The modes and the similarity: complex [Q + 4, K]."""
    return np.concatenate([model.modes, _similarity(model.mean)])


def _solve(model: ShapeModel, aligned: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far each aligned face is along each direction [N, Q + 4], and the variance that its points leave of it."""
    along = _directions(model)
    count = len(along)
    products = (along.conj()[:, None] * along[None]).real.reshape(count * count, -1).T  # [K, (Q + 4)^2]
    packed = np.packbits(there, axis=1)
    _, first, which = np.unique(packed, axis=0, return_index=True, return_inverse=True)  # few patterns, many faces
    normal = (there[first] @ products).reshape(-1, count, count)
    prior = np.concatenate([model.noise / model.variances, np.full(4, model.noise)])
    inverse = np.linalg.inv(normal + np.diag(prior))[which]
    right = (((aligned - model.mean) * there) @ along.conj().T).real
    return np.einsum("nab,nb->na", inverse, right), model.noise * np.einsum("naa->na", inverse)


def _decompose(
    filled: np.ndarray, weights: np.ndarray, *, there: np.ndarray, mean: np.ndarray, flip: np.ndarray | None
) -> ShapeModel:
    """PCA about the mean of aligned, complete shapes [N, K], similarity removed."""
    rest = filled - mean
    fixed = _similarity(mean)
    rest = rest - (rest @ fixed.conj().T).real @ fixed
    halves = [rest] if flip is None else [(rest + mirror(rest, flip)) / 2, (rest - mirror(rest, flip)) / 2]
    found = [_principal(half, weights) for half in halves]
    values = np.concatenate([variances for variances, _ in found])
    modes = np.concatenate([modes for _, modes in found])
    negated = np.repeat(np.arange(len(found)) == 1, [len(variances) for variances, _ in found])
    freedom = max(2 * len(mean) - 4, 2)
    order = np.argsort(-values, kind="stable")[: min(_MOST_MODES, freedom // 2)]
    if negated.any() and not negated[order].any():  # always keep the pose
        order[-1] = np.flatnonzero(negated)[np.argmax(values[negated])]
    left = max(float(values.sum() - values[order].sum()), 0.0) / max(freedom - len(order), 1)
    noise = max(left / max(float(there.mean()), 1e-6), 1e-6 * float(values.sum()), 1e-15)
    return ShapeModel(mean, modes[order], np.maximum(values[order], noise), noise, negated[order])


def _principal(rest: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances, descending, and modes (complex, orthonormal) of shapes about the mean."""
    flat = np.concatenate([rest.real, rest.imag], axis=1)
    values, vectors = np.linalg.eigh((flat * weights[:, None]).T @ flat / weights.sum())
    half = rest.shape[1]
    modes = vectors.T[::-1]
    return np.maximum(values[::-1], 0), modes[:, :half] + 1j * modes[:, half:]
