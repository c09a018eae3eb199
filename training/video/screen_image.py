"""Converts frames to the size and pixel format that the live window shows."""

from __future__ import annotations

import cv2
import numpy as np

from training.faces.images.reading import resize_image

LARGEST = 1280  # px: longer side of the image sent; a larger window scales it up


def fitting_scale(size: tuple[int, int], room: tuple[int, int]) -> float:
    """The scale at which a frame of size (width, height) fills the room, at most LARGEST px long."""
    return min(room[0] / size[0], room[1] / size[1], LARGEST / max(size))


def screen_image(image: np.ndarray, scale: float) -> np.ndarray:
    """A frame uint8 [H, W, 3] RGB -> uint8 [h, w, 4], bytes blue, green, red, 255 (Qt's RGB32), scale times its size.

    Area averaging is ten times slower at a fractional scale, so it first reduces by a whole factor.
    """
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    by = max(1, min(width // size[0], height // size[1]))
    smaller = resize_image(image, (width // by, height // by))
    stretched = cv2.resize(smaller, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(stretched, cv2.COLOR_RGB2BGRA), np.uint8)
