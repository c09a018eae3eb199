"""Reads, decodes and resizes images, and maps points accordingly.

The centre of the first pixel is (0, 0); resizing follows align_corners=False, so that a point moves to
x' = (x + 0.5) * new / old - 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from training.errors import UserError
from training.faces.images.image_header import header_size, is_turned
from training.files.regular import read_bytes
from training.files.sentences import reading

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".pgm", ".ppm", ".tif", ".tiff", ".gif")
MAX_PIXELS = 120_000_000  # 360 MB as RGB: more than any camera's image, less than a decompression bomb
MAX_SIDE = 65_535  # px: projects store widths and heights in 16 bits
MAX_BYTES = 8 * MAX_PIXELS  # of a file: what an image of MAX_PIXELS takes with 16 bits per channel, uncompressed
_REDUCED_FROM = 4_000_000
_REDUCED_MODES = {
    2: (cv2.IMREAD_REDUCED_GRAYSCALE_2, cv2.IMREAD_REDUCED_COLOR_2),
    4: (cv2.IMREAD_REDUCED_GRAYSCALE_4, cv2.IMREAD_REDUCED_COLOR_4),
    8: (cv2.IMREAD_REDUCED_GRAYSCALE_8, cv2.IMREAD_REDUCED_COLOR_8),
}

cv2.utils.logging.setLogLevel(
    cv2.utils.logging.LOG_LEVEL_SILENT
)  # OpenCV's own messages on stderr add nothing to the UserError


def read_image(path: Path, *, channels: int = 1) -> np.ndarray:
    """An image file as uint8 [H, W] (channels 1) or [H, W, 3] RGB (channels 3), with EXIF orientation applied.

    Raises UserError naming the file where it cannot be read or is not a complete image.
    """
    return decode_image(read_image_bytes(path), name=str(path), channels=channels)


def read_reduced(path: Path, *, channels: int, by: int) -> tuple[np.ndarray, int]:
    """As read_image, for a JPEG shrunk by 1, 2, 4 or 8; returns the factor too. Other formats are read at full size.

    Pixel (i, j) of the result covers the pixels from (by * i, by * j). A JPEG with EXIF rotation is read at full size,
    since its blocks would start at another corner.
    """
    data = read_image_bytes(path)
    if by == 1 or not data.startswith(b"\xff\xd8") or is_turned(data):
        return decode_image(data, name=str(path), channels=channels), 1
    check_header(data, name=str(path))
    gray, colour = _REDUCED_MODES[by]
    image = _decode(data, gray if channels == 1 else colour, str(path))
    return (image if channels == 1 else np.ascontiguousarray(image[:, :, ::-1])), by


def read_image_bytes(path: Path) -> bytes:
    """The bytes of an image file, at most MAX_BYTES. Raises UserError where it cannot be read, or is no file."""
    with reading(path):
        return read_bytes(path, limit=MAX_BYTES)


def decode_image(data: bytes, *, name: str, channels: int = 1) -> np.ndarray:
    """As read_image, from a file's bytes. 16-bit images are scaled to 8 bits."""
    check_header(data, name=name)
    if channels not in (1, 3):
        raise ValueError("channels must be 1 or 3")
    image = _decode(data, cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR, name)
    return image if channels == 1 else np.ascontiguousarray(image[:, :, ::-1])


def check_header(data: bytes, *, name: str) -> tuple[int, int]:
    """(width, height) as stored in the header. Raises UserError for non-images and images too large to decode."""
    if not data:
        raise UserError(f"{name}: the file is empty; copy it again from its source.")
    size = header_size(data)
    if size is None or min(size) <= 0:
        raise UserError(
            f"{name}: this is not an image (PNG, JPEG, BMP, WebP, PGM/PPM, TIFF or GIF); replace or remove it."
        )
    if size[0] * size[1] > MAX_PIXELS or max(size) > MAX_SIDE:
        raise UserError(
            f"{name}: the image claims {size[0]} x {size[1]} pixels, more than the {MAX_PIXELS // 1_000_000} million"
            f" (or {MAX_SIDE:,} per side) supported; scale it down."
        )
    return size


def examine_image(data: bytes, *, name: str) -> tuple[tuple[int, int], np.ndarray]:
    """((upright width, height), a gray uint8 version for hashing, possibly smaller): proves that an image can be read.

    Large images are decoded at an eighth of their size, which still reads all their bytes.
    """
    width, height = check_header(data, name=name)
    # once shrunk, EXIF rotation could not be detected
    if width * height < _REDUCED_FROM or 0 < abs(width - height) < 16:
        gray = _decode(data, cv2.IMREAD_GRAYSCALE, name)
        return (gray.shape[1], gray.shape[0]), gray
    gray = _decode(data, cv2.IMREAD_REDUCED_GRAYSCALE_8, name)
    turned = (gray.shape[1] > gray.shape[0]) != (width > height) and width != height
    return ((height, width) if turned else (width, height)), gray


def _decode(data: bytes, mode: int, name: str) -> np.ndarray:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error:
        image = None
    if image is None:
        raise UserError(f"{name}: the image is damaged or cut off; copy it again or remove it.")
    return np.asarray(image, np.uint8)


def resize_image(image: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """[H, W(, 3)] stretched to size x size, or (width, height). Shrinking averages over areas, to avoid aliasing."""
    width, height = (size, size) if isinstance(size, int) else size
    old_height, old_width = image.shape[:2]
    if (old_width, old_height) == (width, height):
        return image
    shrinks = width < old_width or height < old_height
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


def resize_images(images: Sequence[np.ndarray] | np.ndarray, size: int) -> np.ndarray:
    """B images [H, W] or [H, W, 3] of any sizes -> uint8 [B, size, size(, 3)]."""
    if len(images) == 0:
        return np.zeros((0, size, size), np.uint8)
    out = np.empty((len(images), size, size, *images[0].shape[2:]), np.uint8)
    for i, image in enumerate(images):
        out[i] = resize_image(image, size)
    return out


def resize_points(
    points: np.ndarray, old: np.ndarray | tuple[int, int], new: np.ndarray | tuple[int, int]
) -> np.ndarray:
    """Points [..., 2] of an image of size old = (width, height), mapped to the image resized to new.

    For N images at once: points [N, K, 2], and old or new, or both, [N, 2].
    """
    scale = np.asarray(new, np.float64) / np.asarray(old, np.float64)
    scale = scale[..., None, :] if scale.ndim == 2 else scale
    return (np.asarray(points, np.float64) + 0.5) * scale - 0.5


def as_channels(image: np.ndarray, channels: int | None) -> np.ndarray:
    """An image as gray [H, W] (1), RGB [H, W, 3] (3), or unchanged (None). Gray is ITU-R BT.601."""
    if channels == 3 and image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2)
    if channels == 1 and image.ndim == 3:
        weights = np.array([0.299, 0.587, 0.114])
        return np.rint(image @ weights).astype(np.uint8)
    return image
