"""Measures how far labels are shifted to the right relative to the mirror symmetry of faces in the images.

A face resembles its mirror image. So the patch around a keypoint, compared with the mirrored patch around its partner
(around itself, for a keypoint on the midline), is shifted by twice the x offset that both labels share. One face gives
a poor estimate; the normalised cross-correlations of hundreds of near-frontal faces, summed before the peak is located,
give a tenth of a pixel. Mirroring cannot reveal y offsets, or opposite offsets of partners.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from training.faces.labels.schema import KeypointSchema

PATCH, REACH = 36, 8  # samples: side of a patch, largest shift searched
HALF = 0.45  # half a patch's side, in inter-ocular distances
FRONTAL = 0.12  # largest distance of the midline from the eyes' midpoint, in inter-ocular distances
UPRIGHT = 0.4  # sine of the largest roll
PATCHES = 8000  # pairs used, at most: a second or two
ROUNDS = 3
DRAWS = 200  # of the bootstrap
APART = 0.007  # of the inter-ocular distance: how far keypoints may differ because of the image content (hair, brows)
ALONE = (
    0.03  # of the inter-ocular distance: a keypoint this far from the others' median hardly counts (shading of a nose)
)
FEWEST = 60  # faces
ROOM = 1.0  # of the inter-ocular distance: margin kept around the labels, for patches and their shifts
FINEST = 2.0  # px between samples, at most: larger faces are shrunk, which saves memory and removes fine grain

Image = Callable[[int], np.ndarray | None]


@dataclass(frozen=True)
class Axis:
    """Offsets in px, positive where the labels are shifted to the right.

    shift: [K], NaN where unknown. error: [K], one standard deviation. common: their weighted mean. draws: [B], `common`
    in B bootstrap draws of groups. faces: how many were used. interocular: their median, px.
    """

    shift: np.ndarray
    error: np.ndarray
    common: float
    draws: np.ndarray
    faces: int
    interocular: float


def mirror_axis(image: Image, points: np.ndarray, schema: KeypointSchema, groups: np.ndarray) -> Axis | None:
    """The offset of labels [N, K, 2] (px, NaN if missing); None where mirroring cannot determine it.

    image(row): uint8 [H, W] or [H, W, 3], or None if it cannot be read. groups: [N], equal for one person or photo.
    """
    rows = frontal_rows(points, schema)
    pairs = [k for k, partner in enumerate(schema.flip) if partner >= k]
    rows = _spread(rows, max(FEWEST, PATCHES // len(pairs)))
    if len(rows) < FEWEST:
        return None
    eyes = _eyes(points[rows], schema)
    across, unit = _across(eyes), HALF * 2 / (PATCH - 1)
    scale = np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=1) * unit  # px between samples
    parts = [
        _face(image(row), points[row], room=ROOM * one / unit, scale=one)
        for row, one in zip(rows.tolist(), scale.tolist(), strict=True)
    ]
    images, size = [part.image for part in parts], np.array([part.size for part in parts])
    corner = np.array([part.corner for part in parts])[:, None]
    shift = np.zeros(len(pairs))
    for _ in range(ROUNDS):
        moved = points[rows] - shift[_pair_of(schema, pairs), None] * [1, 0]
        inside = (moved - corner + 0.5) * size[:, None, None] - 0.5
        surfaces = _surfaces(images, inside, across, scale * size, schema, pairs)
        shift += np.nan_to_num(_peaks(np.nansum(surfaces, axis=0)) * float(np.median(scale)) / 2)
    return _axis(surfaces, shift, scale, groups[rows], schema, pairs)


def _pair_of(schema: KeypointSchema, pairs: list[int]) -> np.ndarray:
    """[K]: the pair, identified by its first keypoint, that each keypoint belongs to."""
    where = {first: n for n, first in enumerate(pairs)}
    return np.array([where[min(k, partner)] for k, partner in enumerate(schema.flip)])


def frontal_rows(points: np.ndarray, schema: KeypointSchema) -> np.ndarray:
    """The upright, frontal faces, judged by their labels [N, K, 2]; empty where no partners or eyes are known."""
    flip = np.array(schema.flip)
    middle = flip == np.arange(len(flip))
    if middle.all() or not schema.interocular[0]:
        return np.zeros(0, np.int64)
    eyes = _eyes(points, schema)
    distance = np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=1)
    across = _across(eyes)
    usable = np.isfinite(distance) & (distance > 0) & (np.abs(across[:, 1]) < UPRIGHT) & (across[:, 0] > 0)
    if middle.any():
        there = np.isfinite(points[:, middle]).all(axis=-1)
        mean = (
            np.nansum(np.where(there[..., None], points[:, middle], 0), axis=1)
            / np.maximum(there.sum(axis=1), 1)[:, None]
        )
        aside = np.einsum("nd,nd->n", mean - eyes.mean(axis=1), across)
        usable &= there.any(axis=1) & (np.abs(aside) < FRONTAL * distance)
    return np.flatnonzero(usable)


def _eyes(points: np.ndarray, schema: KeypointSchema) -> np.ndarray:
    """[N, 2, 2]: the subject's left and right eye."""
    return np.stack([points[:, list(group)].mean(axis=1) for group in schema.interocular], axis=1)


def _across(eyes: np.ndarray) -> np.ndarray:
    """Unit vectors [N, 2] from the right eye to the left, which is to the right in the image."""
    line = eyes[:, 0] - eyes[:, 1]
    return np.asarray(line / np.maximum(np.linalg.norm(line, axis=1), 1e-9)[:, None])


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


@dataclass(frozen=True)
class _Part:
    """The part of an image that contains a face: float32 gray, None if unreadable. corner: (x, y) of its first pixel in
    the image, px. size: pixels of the part per pixel of the image.
    """

    image: np.ndarray | None
    corner: tuple[int, int] = (0, 0)
    size: float = 1.0


def _face(image: np.ndarray | None, points: np.ndarray, *, room: float, scale: float) -> _Part:
    """The face of labels [K, 2] with `room` px around it, since hundreds of whole photos would not fit in memory."""
    if image is None:
        return _Part(None)
    height, width = image.shape[:2]
    low = np.clip(np.floor(np.nanmin(points, axis=0) - room), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(np.nanmax(points, axis=0) + room) + 1, low + 1, (width, height)).astype(int)
    gray = image[low[1] : high[1], low[0] : high[0]]
    if gray.ndim == 3:
        gray = cv2.cvtColor(np.ascontiguousarray(gray), cv2.COLOR_RGB2GRAY)
    size = min(1.0, FINEST / scale)
    if size < 1:
        gray = cv2.resize(gray, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 0.8)
    return _Part(blurred, (int(low[0]), int(low[1])), size)


def _surfaces(
    images: list[np.ndarray | None],
    points: np.ndarray,
    across: np.ndarray,
    scale: np.ndarray,
    schema: KeypointSchema,
    pairs: list[int],
) -> np.ndarray:
    """Correlations float32 [M, P, 2 REACH + 1, 2 REACH + 1] of patches with their partners' mirrored ones; NaN if
    missing.
    """
    side = 2 * REACH + 1
    found = np.full((len(points), len(pairs), side, side), np.nan, np.float32)
    for n, image in enumerate(images):
        if image is None:
            continue
        for p, k in enumerate(pairs):
            here, there = points[n, k], points[n, schema.flip[k]]
            if np.isfinite(here).all() and np.isfinite(there).all():
                one = _patch(image, here, across[n], scale[n])
                other = np.ascontiguousarray(_patch(image, there, across[n], scale[n])[:, ::-1])
                inner = np.ascontiguousarray(one[REACH:-REACH, REACH:-REACH])
                found[n, p] = cv2.matchTemplate(other, inner, cv2.TM_CCOEFF_NORMED)
    return found


def _patch(image: np.ndarray, centre: np.ndarray, across: np.ndarray, scale: float) -> np.ndarray:
    """[PATCH, PATCH] samples round `centre`, `scale` px apart, its x axis along the eyes."""
    turn = scale * np.array([[across[0], -across[1]], [across[1], across[0]]])
    corner = centre - turn @ np.full(2, (PATCH - 1) / 2)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.column_stack([turn, corner])
    return cv2.warpAffine(image, matrix, (PATCH, PATCH), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _peaks(surfaces: np.ndarray) -> np.ndarray:
    """How far right of the middle the peak of each surface [P, ...] is, in samples; NaN for a flat surface.

    Refined by a parabola through its neighbours; at the border the border itself, so that the next round starts there.
    """
    found = np.full(len(surfaces), np.nan)
    for p, surface in enumerate(surfaces):
        if np.ptp(surface) == 0:
            continue
        y, x = np.unravel_index(int(surface.argmax()), surface.shape)
        found[p] = x - REACH
        if 0 < x < 2 * REACH:
            left, middle, right = surface[y, x - 1 : x + 2].astype(np.float64)
            found[p] += (left - right) / (2 * (left - 2 * middle + right)) if middle > min(left, right) else 0.0
    return found


def _axis(
    surfaces: np.ndarray,
    shift: np.ndarray,
    scale: np.ndarray,
    groups: np.ndarray,
    schema: KeypointSchema,
    pairs: list[int],
) -> Axis:
    """Standard deviations and weighted mean by a bootstrap over groups. shift: [P], per pair; surfaces: of the last
    round.
    """
    names, group = np.unique(groups, return_inverse=True)
    there = np.isfinite(surfaces[..., 0, 0])
    sums = np.zeros((len(names), surfaces[0].size))
    np.add.at(sums, group, np.nan_to_num(surfaces).reshape(len(surfaces), -1))
    random, px = np.random.default_rng(0), float(np.median(scale)) / 2
    draws = np.stack([_peaks(_drawn(sums, random).reshape(surfaces.shape[1:])) * px for _ in range(DRAWS)])
    told = (there.sum(axis=0) >= FEWEST / 2) & np.isfinite(draws).all(axis=0)
    distance = float(np.median(scale)) / (2 * HALF / (PATCH - 1))
    error = np.where(told, np.where(np.isfinite(draws), draws, 0).std(axis=0), np.nan)
    twice = np.array([1 if schema.flip[k] == k else 2 for k in pairs])
    alone = (shift - (np.median(np.repeat(shift[told], twice[told])) if told.any() else 0)) / (ALONE * distance)
    weight = np.where(told, twice / (np.nan_to_num(error) ** 2 + (APART * distance) ** 2) / (1 + alone**4), 0)
    weight /= max(weight.sum(), 1e-12)
    middle = np.nan_to_num(draws) - np.nan_to_num(draws).mean(axis=0)
    common = float(shift @ weight) if told.any() else float("nan")
    of_keypoint = _pair_of(schema, pairs)
    return Axis(
        shift=np.where(told, shift, np.nan)[of_keypoint],
        error=error[of_keypoint],
        common=common,
        draws=common + middle @ weight,
        faces=int(there.any(axis=1).sum()),
        interocular=distance,
    )


def _drawn(sums: np.ndarray, random: np.random.Generator) -> np.ndarray:
    count = len(sums)
    return np.asarray(np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64) @ sums)
