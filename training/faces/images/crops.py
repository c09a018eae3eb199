"""Faces cut out of larger pictures: square rectangles in whole pixels, so that no pixel is resampled and no label moves.

A crop is (x, y, side): its first pixel is the pixel (x, y) of the source picture. A point p of the source lies at
p - (x, y) in the crop; adding (x, y) gives it back. A crop may reach over the border, where the last pixels are repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.errors import UserError
from training.faces.images.reading import MAX_PIXELS, MAX_SIDE

CROP_BY = ("box", "points", "none")
PADDING = 0.25
_MOST_PADDING = 3.0
REDUCED = 8  # the most by which a JPEG is shrunk while it is decoded
_ON_GRID = 256  # px; larger crops are in steps of REDUCED
_MOST_OF_PICTURE = 4  # a crop this many times as long as its picture is nearly all border


@dataclass(frozen=True)
class CropOptions:
    """How faces are cut out on import. by: the source's boxes, the box round the points, or not at all.

    padding: the part of the box's longer side that is added on each of its four sides.
    """

    by: str
    padding: float = PADDING

    def __post_init__(self) -> None:
        if self.by not in CROP_BY:
            raise UserError(f"Pictures are cropped by {', '.join(CROP_BY)}, not by {self.by!r}.")
        if not 0 <= self.padding <= _MOST_PADDING:
            raise UserError(f"The padding of a crop is from 0 to {_MOST_PADDING:g} of the box, not {self.padding:g}.")


def box_of_points(points: np.ndarray) -> np.ndarray:
    """Boxes [B, 4] (x, y, width, height) round the finite points of [B, K, 2]; NaN where there is none."""
    present = np.isfinite(points).all(axis=-1, keepdims=True)
    low = np.where(present, points, np.inf).min(axis=1)
    high = np.where(present, points, -np.inf).max(axis=1)
    some = present.any(axis=(1, 2))[:, None]
    return np.where(some, np.concatenate([low, high - low + 1], axis=1), np.nan)


def square_crop(box: np.ndarray, padding: float) -> tuple[int, int, int]:
    """(x, y, side) of the square about a box (x, y, width, height) that covers the pixels x to x + width - 1.

    A large one is on a grid of 8 px, so that it can be cut out of its JPEG decoded at an eighth of the size.
    """
    x, y, width, height = (float(v) for v in box)
    side = max(1.0, max(width, height) * (1 + 2 * padding))
    step = REDUCED if side >= _ON_GRID else 1
    side = max(1, round(side / step)) * step
    corner = (x + (width - side) / 2, y + (height - side) / 2)
    return round(corner[0] / step) * step, round(corner[1] / step) * step, side


def same_square(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    """Whether two crops (x, y, side) of a picture show the same face: they share at least half of what they cover together."""
    sides = [max(0, min(a[i] + a[2], b[i] + b[2]) - max(a[i], b[i])) for i in (0, 1)]
    shared = sides[0] * sides[1]
    return 2 * shared >= a[2] ** 2 + b[2] ** 2 - shared


def reduction(crop: tuple[int, int, int], enough: int) -> int:
    """1, 2, 4 or 8: by how much a crop can be shrunk so that its corner stays on a pixel and its side is not below `enough`."""
    fits = (by for by in (8, 4, 2) if crop[2] >= by * enough and all(value % by == 0 for value in crop))
    return next(fits, 1)


def box_fault(box: np.ndarray, size: tuple[int, int], *, padding: float) -> str:
    """What is wrong with a box in a picture of size (width, height); "" where nothing is."""
    x, y, width, height = (float(v) for v in box)
    where = f"the box at ({x:g}, {y:g}) of {width:g} x {height:g} pixels"
    if width <= 0 or height <= 0:
        return f"{where} has no area"
    if x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0:
        return f"{where} lies outside the picture of {size[0]} x {size[1]} pixels"
    side = max(width, height) * (1 + 2 * padding)
    if side > _MOST_OF_PICTURE * max(size) or side > MAX_SIDE or side * side > MAX_PIXELS:
        return f"{where} is too large for the picture of {size[0]} x {size[1]} pixels"
    return ""


def crop_fault(crop: tuple[int, int, int], size: tuple[int, int]) -> str:
    """What is wrong with a crop that a file gives, of a picture of size (width, height); "" where nothing is.

    On its grid of 8 px a crop may lie so far off the box that it was made about.
    """
    x, y, side = crop
    where = f"the crop at ({x}, {y}) of {side} x {side} pixels"
    if x >= size[0] + REDUCED or y >= size[1] + REDUCED or x + side <= -REDUCED or y + side <= -REDUCED:
        return f"{where} lies outside the picture of {size[0]} x {size[1]} pixels"
    if side > _MOST_OF_PICTURE * max(size) + REDUCED or side > MAX_SIDE or side * side > MAX_PIXELS:
        return f"{where} is too large for the picture of {size[0]} x {size[1]} pixels"
    return ""


def cut(picture: np.ndarray, crop: tuple[int, int, int]) -> np.ndarray:
    """The crop of a picture [H, W(, 3)]: uint8 [side, side(, 3)]. Outside the picture its border is repeated."""
    x, y, side = crop
    height, width = picture.shape[:2]
    left, top = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    right, bottom = max(min(x + side, width), left + 1), max(min(y + side, height), top + 1)
    inside = picture[top:bottom, left:right]
    if inside.shape[:2] == (side, side):
        return np.ascontiguousarray(inside)
    margins = (max(0, top - y), max(0, y + side - bottom), max(0, left - x), max(0, x + side - right))
    return np.asarray(cv2.copyMakeBorder(inside, *margins, borderType=cv2.BORDER_REPLICATE))
