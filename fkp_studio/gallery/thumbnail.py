"""Draws one thumbnail: the picture at its size on the screen with labels and predictions. No Qt; safe in any thread."""

from __future__ import annotations

import cv2
import numpy as np

from fkp_studio.theme import LABEL, PREDICTION
from training.data.keypoint_data import Labels, Origin, PointState

SHIFT = 4  # fractional bits of OpenCV's drawing coordinates
Colour = tuple[int, int, int, int]


def _bgra(colour: str) -> Colour:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return blue, green, red, 255


_LABEL, _PREDICTION, _SHADE = _bgra(LABEL), _bgra(PREDICTION), (20, 20, 20, 255)


def draw_thumbnail(picture: np.ndarray, labels: Labels, predicted: np.ndarray, *, side: int) -> np.ndarray:
    """uint8 [h, w, 4] BGRA whose longer side is `side` px.

    picture: uint8 [H, W] or [H, W, 3] RGB. labels: of this one sample. predicted: [K, 2] px of the picture, NaN where none.
    """
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    image = cv2.cvtColor(small, cv2.COLOR_GRAY2BGRA if small.ndim == 2 else cv2.COLOR_RGB2BGRA)
    factors = np.array(size) / (width, height)
    radius = _radius(side, labels.states.shape[1])
    for x, y in _places(predicted, factors):
        _ring(image, (x, y), radius + 1.6, _PREDICTION)
    states, of_model = labels.states[0], labels.origins[0] == Origin.MODEL
    for k, (x, y) in zip(np.flatnonzero(labels.mask[0]), _places(labels.points[0], factors), strict=False):
        if states[k] == PointState.OCCLUDED:
            _ring(image, (x, y), radius, _LABEL)
        else:
            _disc(image, (x, y), radius, _PREDICTION if of_model[k] else _LABEL, _LABEL if of_model[k] else _SHADE)
    return image


def _radius(side: int, keypoints: int) -> float:
    """In px: smaller where many points share the face."""
    return float(np.clip(side / 48 * (15 / max(keypoints, 15)) ** 0.4, 0.9, 4.0))


def _places(points: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """int [n, 2]: finite points in OpenCV's fixed-point pixels of the thumbnail."""
    finite = points[np.isfinite(points).all(axis=1)]
    placed = (finite + 0.5) * factors - 0.5
    return (np.clip(placed, -1000, 10000) * (1 << SHIFT)).round().astype(np.int64)


def _disc(image: np.ndarray, at: tuple[int, int], radius: float, fill: Colour, rim: Colour) -> None:
    for size, colour in ((radius + 0.8, rim), (radius, fill)):
        cv2.circle(image, (int(at[0]), int(at[1])), round(size * (1 << SHIFT)), colour, -1, cv2.LINE_AA, SHIFT)


def _ring(image: np.ndarray, at: tuple[int, int], radius: float, colour: Colour) -> None:
    cv2.circle(image, (int(at[0]), int(at[1])), round(radius * (1 << SHIFT)), colour, 1, cv2.LINE_AA, SHIFT)
