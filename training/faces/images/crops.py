"""Crops of faces from larger images: squares in whole pixels, so that no pixel is resampled and no label changes.

A crop is (x, y, side), where (x, y) is its first pixel in the source image. A point p of the source is at p - (x, y) in
the crop. A crop may extend beyond the border, where the border pixels are repeated.
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
REDUCED = 8  # largest factor by which a JPEG is shrunk while it is decoded
_ON_GRID = 256  # px; larger crops are aligned to multiples of REDUCED
_MOST_OF_IMAGE = 4  # a crop this many times as long as its image is nearly all border


@dataclass(frozen=True)
class CropOptions:
    """How faces are cropped on import. by: the source's boxes, the bounding box of the points, or not at all.

    padding: the fraction of the box's longer side added on each of its four sides.
    """

    by: str
    padding: float = PADDING

    def __post_init__(self) -> None:
        if self.by not in CROP_BY:
            raise UserError(f"Images can be cropped by {', '.join(CROP_BY)}, not by {self.by!r}.")
        if not 0 <= self.padding <= _MOST_PADDING:
            raise UserError(
                f"The padding of a crop must be between 0 and {_MOST_PADDING:g} of the box, not {self.padding:g}."
            )


def box_of_points(points: np.ndarray) -> np.ndarray:
    """Bounding boxes [B, 4] (x, y, width, height) of the finite points of [B, K, 2]; NaN where there is none."""
    present = np.isfinite(points).all(axis=-1, keepdims=True)
    low = np.where(present, points, np.inf).min(axis=1)
    high = np.where(present, points, -np.inf).max(axis=1)
    some = present.any(axis=(1, 2))[:, None]
    return np.where(some, np.concatenate([low, high - low + 1], axis=1), np.nan)


def square_crop(box: np.ndarray, padding: float) -> tuple[int, int, int]:
    """(x, y, side) of the square around a box (x, y, width, height) that covers the pixels x to x + width - 1.

    A large square is aligned to a grid of 8 px, so that it can be cropped from its JPEG decoded at an eighth of the
    size.
    """
    x, y, width, height = (float(v) for v in box)
    side = max(1.0, max(width, height) * (1 + 2 * padding))
    step = REDUCED if side >= _ON_GRID else 1
    side = max(1, round(side / step)) * step
    corner = (x + (width - side) / 2, y + (height - side) / 2)
    return round(corner[0] / step) * step, round(corner[1] / step) * step, side


def same_square(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    """Whether two crops (x, y, side) of an image show the same face: they overlap by at least half of their union."""
    sides = [max(0, min(a[i] + a[2], b[i] + b[2]) - max(a[i], b[i])) for i in (0, 1)]
    shared = sides[0] * sides[1]
    return 2 * shared >= a[2] ** 2 + b[2] ** 2 - shared


def reduction(crop: tuple[int, int, int], enough: int) -> int:
    """The factor (1, 2, 4 or 8) to shrink a crop by so that its corner is a whole pixel and its side at least
    `enough`."""
    fits = (by for by in (8, 4, 2) if crop[2] >= by * enough and all(value % by == 0 for value in crop))
    return next(fits, 1)


def box_fault(box: np.ndarray, size: tuple[int, int], *, padding: float) -> str:
    """What is wrong with a box in an image of size (width, height); "" if nothing is."""
    x, y, width, height = (float(v) for v in box)
    where = f"the box at ({x:g}, {y:g}) of {width:g} x {height:g} pixels"
    if width <= 0 or height <= 0:
        return f"{where} has no area"
    if x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0:
        return f"{where} lies outside the image of {size[0]} x {size[1]} pixels"
    side = max(width, height) * (1 + 2 * padding)
    if side > _MOST_OF_IMAGE * max(size) or side > MAX_SIDE or side * side > MAX_PIXELS:
        return f"{where} is too large for the image of {size[0]} x {size[1]} pixels"
    return ""


def crop_fault(crop: tuple[int, int, int], size: tuple[int, int]) -> str:
    """What is wrong with a crop from a file, for an image of size (width, height); "" if nothing is.

    A crop may be this far from its box because of the grid of 8 px.
    """
    x, y, side = crop
    where = f"the crop at ({x}, {y}) of {side} x {side} pixels"
    if x >= size[0] + REDUCED or y >= size[1] + REDUCED or x + side <= -REDUCED or y + side <= -REDUCED:
        return f"{where} lies outside the image of {size[0]} x {size[1]} pixels"
    if side > _MOST_OF_IMAGE * max(size) + REDUCED or side > MAX_SIDE or side * side > MAX_PIXELS:
        return f"{where} is too large for the image of {size[0]} x {size[1]} pixels"
    return ""


def cut(image: np.ndarray, crop: tuple[int, int, int]) -> np.ndarray:
    """The crop of an image [H, W(, 3)]: uint8 [side, side(, 3)]. Outside the image its border is repeated."""
    x, y, side = crop
    height, width = image.shape[:2]
    left, top = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    right, bottom = max(min(x + side, width), left + 1), max(min(y + side, height), top + 1)
    inside = image[top:bottom, left:right]
    if inside.shape[:2] == (side, side):
        return np.ascontiguousarray(inside)
    margins = (max(0, top - y), max(0, y + side - bottom), max(0, left - x), max(0, x + side - right))
    return np.asarray(cv2.copyMakeBorder(inside, *margins, borderType=cv2.BORDER_REPLICATE))
