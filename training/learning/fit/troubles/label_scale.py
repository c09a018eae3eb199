"""Checks before a training run that the labels' scale fits their images."""

from __future__ import annotations

import numpy as np

from training.storage.runs.events import Trouble

_MOST = 0.9  # share of the points
_OUTSIDE = 0.3
_CORNER = 0.4  # of the side
_FEWEST = 10  # faces, or points of a group of faces
_TIMES = 3.0  # between two groups of faces of different size
_MINORITY = 0.02
_SPREAD = 0.35  # of the logarithm of the size within a group, at most
_UNIT = 1.05


def label_troubles(points: np.ndarray, sizes: np.ndarray) -> list[Trouble]:
    """At most one problem with the labels [N, K, 2] (original px, NaN where missing) of images of sizes [N, 2]."""
    present = np.isfinite(points).all(axis=-1)
    if present.any(axis=1).sum() < _FEWEST:
        return []
    found = _normalised(points[present]) or _outside(points, sizes, present) or _corner(points, sizes, present)
    found = found or _two_scales(_fractions(points, sizes), present)
    return [found] if found else []


def _normalised(values: np.ndarray) -> Trouble | None:
    """values: [P, 2] labels."""
    if np.quantile(np.abs(values), _MOST) > _UNIT:
        return None
    low = -1 if np.quantile(values, 0.1) < -0.1 else 0
    return Trouble(
        "label-scale",
        f"Nearly all labels lie between {low} and 1: they are fractions that were read as pixels. Multiply them by the "
        "images' width and height and import them again; nothing can be learned from these.",
    )


def _outside(points: np.ndarray, sizes: np.ndarray, present: np.ndarray) -> Trouble | None:
    fractions = _fractions(points, sizes)[present]
    outside = float(((fractions < 0) | (fractions > 1)).any(axis=-1).mean())
    if outside < _OUTSIDE:
        return None
    return Trouble(
        "label-scale",
        f"{outside:.0%} of the labels lie outside their images: they were made for images of another size, or x and y "
        "are swapped. Check some faces, and import labels and images that belong together.",
    )


def _corner(points: np.ndarray, sizes: np.ndarray, present: np.ndarray) -> Trouble | None:
    reach = float(np.quantile(_fractions(points, sizes)[present].max(axis=-1), 0.99))
    if reach > _CORNER:
        return None
    return Trouble(
        "label-scale",
        f"All labels lie in the upper left {max(reach, 0.01):.0%} of their images: they were made for images of about "
        f"{max(reach, 0.01) * 1.2:.0%} of the size. Check some faces, and import labels and images that belong "
        "together.",
    )


def _two_scales(points: np.ndarray, present: np.ndarray) -> Trouble | None:
    """Two groups of faces, each of one size, with none between: some labels are at another scale than the others.

    Small faces in large photographs form such a group too, but they lie anywhere; labels at too small a scale lie in
    the upper left, and labels at too large a scale lie outside their images.
    """
    found, reach = _face_sizes(points, present)
    order = np.argsort(found)
    sizes, reach = np.log(found[order]), reach[order]
    if len(sizes) < 2 * _FEWEST:
        return None
    cut = int(np.argmax(np.diff(sizes))) + 1
    small, large = sizes[:cut], sizes[cut:]
    fewer = min(len(small), len(large))
    apart = float(np.median(large) - np.median(small))
    clean = max(float(small.std()), float(large.std())) < _SPREAD and large[0] - small[-1] > apart / 2
    shrunk = float(np.quantile(reach[:cut], 0.99)) < _CORNER
    grown = float((reach[cut:] > 1).mean()) > 0.5
    if fewer < max(_FEWEST, _MINORITY * len(sizes)) or apart < np.log(_TIMES) or not clean or not (shrunk or grown):
        return None
    which = "smaller" if len(small) < len(large) else "larger"
    return Trouble(
        "label-scale",
        f"The labels of {fewer:,} faces are about {np.exp(apart):.0f} times {which} than those of the others, with "
        "none in between: two scales were mixed. Import these faces again at the scale of their images, or leave "
        "them out.",
    )


def _face_sizes(points: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Size of each face with at least three labels, relative to the same points of the median face, and its reach.

    The reach is the face's largest coordinate.
    """
    usual = np.nanmedian(np.where(present[..., None], points, np.nan)[:, present.any(axis=0)], axis=0)
    points, present = points[:, present.any(axis=0)], present[:, present.any(axis=0)]
    chosen = present.sum(axis=1) >= 3
    ours = _spread(points[chosen], present[chosen])
    theirs = _spread(np.broadcast_to(usual, points[chosen].shape), present[chosen])
    reach = np.where(present[chosen][..., None], points[chosen], -np.inf).max(axis=(1, 2))
    return (ours / np.maximum(theirs, 1e-9))[ours > 0], reach[ours > 0]


def _spread(points: np.ndarray, present: np.ndarray) -> np.ndarray:
    """[N]: the root mean square distance of each face's points from their centre."""
    count = present.sum(axis=1)
    values = np.where(present[..., None], points, 0)
    centred = np.where(present[..., None], values - (values.sum(axis=1) / count[:, None])[:, None], 0)
    return np.asarray(np.sqrt(np.square(centred).sum(axis=(1, 2)) / count))


def _fractions(points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Labels as fractions of their image, 0..1 inside."""
    return np.asarray((points + 0.5) / sizes[:, None])
