"""Draws faces for tests of label offsets: two eyes, a nose and a mouth, exactly symmetrical."""

from __future__ import annotations

import cv2
import numpy as np

from training.faces.labels.schema import KeypointSchema

FIVE = KeypointSchema(
    name="five",
    keypoints=("left_eye", "right_eye", "nose", "mouth_left", "mouth_right"),
    flip=(1, 0, 2, 4, 3),
    interocular=((0,), (1,)),
    interpupil=((0,), (1,)),
)
_PLACES = np.array([(14.0, -10), (-14, -10), (0, 3), (9, 17), (-9, 17)])  # px from the middle of the face
_SHIFT = 4  # bits of a pixel's fraction in OpenCV's drawing


def mirrored_faces(count: int, *, seed: int = 0, side: int = 72) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images uint8 [N, side, side], points [N, 5, 2] and groups [N]: two faces per person, near the middle."""
    random = np.random.default_rng(seed)
    points = _PLACES + random.uniform(28, 42, (count, 1, 2)) + random.normal(0, 0.3, (count, 5, 2))
    images = np.stack([_draw(p, side, random) for p in points])
    return images, points, np.arange(count) // 2


def _draw(points: np.ndarray, side: int, random: np.random.Generator) -> np.ndarray:
    image = random.normal(120, 6, (side, side)).astype(np.float32)
    for (x, y), radii, light in zip(
        points, ((4, 3), (4, 3), (3, 5), (3, 2), (3, 2)), (20, 20, 200, 40, 40), strict=True
    ):
        centre = (round(x * 2**_SHIFT), round(y * 2**_SHIFT))
        axes = tuple(r << _SHIFT for r in radii)
        cv2.ellipse(image, centre, axes, 0, 0, 360, light, -1, cv2.LINE_AA, _SHIFT)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 1.0), 0, 255).astype(np.uint8)
