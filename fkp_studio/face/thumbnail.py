"""Draws one thumbnail: the image at screen size with labels and predictions. No Qt; safe in any thread."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from fkp_studio.look.style.theme import LABEL, PREDICTION
from training.faces.labels.labels import Labels, Origin, PointState


def _bgr(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (5, 3, 1)], np.float32)


_LABEL, _PREDICTION, _SHADE = _bgr(LABEL), _bgr(PREDICTION), _bgr("#1A1A1A")
RIM = 0.9  # px around a disc
LINE = 1.1  # px, width of a ring


def draw_thumbnail(pixels: np.ndarray, labels: Labels, predicted: np.ndarray, *, side: int) -> np.ndarray:
    """uint8 [h, w, 4] BGRA whose longer side is `side` px.

    pixels: uint8 [H, W] or [H, W, 3] RGB. labels: of this one sample. predicted: [K, 2] px of the image, NaN where
    none. Labels are filled discs, occluded ones hollow; predictions are rings; accepted points have both colours.
    """
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    image = cv2.cvtColor(small, cv2.COLOR_GRAY2BGRA if small.ndim == 2 else cv2.COLOR_RGB2BGRA)
    factors = np.array(size) / (width, height)
    points, hollow = _placed(labels.points[0], factors), labels.states[0] == PointState.OCCLUDED
    accepted = labels.origins[0] == Origin.MODEL
    radius = _radius(side, len(points))
    _blend(image, _rings(size, _placed(predicted, factors), radius + 1.2), _PREDICTION)
    _blend(image, _discs(size, points[~accepted & ~hollow], radius + RIM), _SHADE)
    _blend(image, _discs(size, points[accepted], radius + 1.5 * RIM), _LABEL)
    _blend(image, _discs(size, points[~accepted & ~hollow], radius), _LABEL)
    _blend(image, _discs(size, points[accepted], radius + RIM / 4), _PREDICTION)
    _blend(image, _rings(size, points[hollow & ~accepted], radius), _LABEL)
    return image


def _radius(side: int, keypoints: int) -> float:
    """The radius of a point in px, smaller for many keypoints."""
    return float(np.clip(side / 42 * (15 / max(keypoints, 15)) ** 0.4, 1.1, 4.0))


def _placed(points: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """[K, 2] px of the thumbnail; the centre of its first pixel is (0, 0)."""
    return (points + 0.5) * factors - 0.5


def _discs(size: tuple[int, int], points: np.ndarray, radius: float) -> np.ndarray:
    """float32 [h, w], 0..1: how much each pixel is covered by discs around the finite points."""
    return _cover(size, points, radius, lambda distance: np.clip(radius + 0.5 - distance, 0, 1))


def _rings(size: tuple[int, int], points: np.ndarray, radius: float) -> np.ndarray:
    """float32 [h, w], 0..1: how much each pixel is covered by circles of line width LINE around the finite points."""
    return _cover(size, points, radius + LINE, lambda distance: np.clip(LINE / 2 + 0.5 - abs(distance - radius), 0, 1))


def _cover(
    size: tuple[int, int], points: np.ndarray, reach: float, shape: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    cover = np.zeros((size[1], size[0]), np.float32)
    finite = points[np.isfinite(points).all(axis=1)]
    near = int(np.ceil(reach)) + 1
    steps = np.arange(-near, near + 1)
    x = np.round(finite[:, 0]).astype(int)[:, None, None] + steps[None, None, :]  # [P, 1, S]
    y = np.round(finite[:, 1]).astype(int)[:, None, None] + steps[None, :, None]  # [P, S, 1]
    distance = np.hypot(x - finite[:, 0, None, None], y - finite[:, 1, None, None])  # [P, S, S]
    inside = (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])
    x, y = np.broadcast_to(x, inside.shape)[inside], np.broadcast_to(y, inside.shape)[inside]
    np.maximum.at(cover, (y, x), shape(distance[inside]).astype(np.float32))
    return cover


def _blend(image: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> None:
    """Blend `colour` into `image` in place, with the opacity `cover`."""
    y, x = np.nonzero(cover)
    share = cover[y, x, None]
    image[y, x, :3] = (image[y, x, :3] * (1 - share) + colour * share + 0.5).astype(np.uint8)
