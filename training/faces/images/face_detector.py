"""Detects faces in photos with the Haar cascades that ship with OpenCV (Viola and Jones, CVPR 2001).

A detected face is a box around its 68 points. How the cascades' own boxes relate to it was measured on 297 faces of all
poses: frontal, 0.90 of the cascade's box, 0.16 below its middle (standard deviations 0.07 and 0.04); in profile 0.76,
and 0.08 towards the side the face looks to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from training.errors import UserError
from training.faces.images.reading import resize_image

ROOM = 0.15  # of the box, added on each side, as in the starters' training crops
_SIDE = 640  # px; larger images are scaled down to this
_PROFILE_SIDE = 480  # px; the same for faces in profile, since each direction costs another pass
_SMALLEST = 28  # px of the scaled image: smaller faces are too small to place points on
_STEP = 1.1  # between successive face sizes
_OVERLAP = 0.3  # of the smaller box: detections that share more are one face


@dataclass(frozen=True)
class _Cascade:
    """A trained cascade, and where a face's own box lies in its box, in fractions of its side. mirrored: flips the
    image.
    """

    file: str
    most: int  # px: longer side that the image is scaled down to
    neighbours: int  # detections needed at nearly the same place; fewer are chance
    side: float
    right: float
    down: float
    mirrored: bool = False


_FRONTAL = _Cascade("haarcascade_frontalface_alt.xml", _SIDE, 3, side=0.90, right=0.0, down=0.16)
_PROFILE = _Cascade("haarcascade_profileface.xml", _PROFILE_SIDE, 5, side=0.76, right=-0.08, down=0.15)
_OTHER_PROFILE = _Cascade(
    "haarcascade_profileface.xml", _PROFILE_SIDE, 5, side=0.76, right=-0.08, down=0.15, mirrored=True
)


class FaceDetector:
    """Use from one thread at a time. The first call loads the cascades, which takes 40 ms."""

    def find(self, image: np.ndarray) -> np.ndarray:
        """Boxes float64 [F, 4] (x, y, width, height) in px of an upright gray image uint8 [H, W], largest first.

        F is 0 if none is found; no image content or size raises an error.
        """
        boxes = np.concatenate([self._boxes(image, cascade) for cascade in (_FRONTAL, _PROFILE, _OTHER_PROFILE)])
        boxes = boxes[_distinct(boxes)]
        return boxes[np.argsort(-boxes[:, 2], kind="stable")]

    def _boxes(self, image: np.ndarray, cascade: _Cascade) -> np.ndarray:
        """The detections of one cascade as face boxes, most certain first."""
        height, width = image.shape[:2]
        scale = min(1.0, cascade.most / max(height, width))
        if scale < 1:
            image = resize_image(image, (max(1, round(width * scale)), max(1, round(height * scale))))
        if min(image.shape) < _SMALLEST:
            return np.zeros((0, 4))
        seen = np.ascontiguousarray(image[:, ::-1]) if cascade.mirrored else image
        found, counts = self._classifiers[cascade.file].detectMultiScale2(
            seen, scaleFactor=_STEP, minNeighbors=cascade.neighbours, minSize=(_SMALLEST, _SMALLEST)
        )
        order = np.argsort(-np.asarray(counts, np.float64).ravel(), kind="stable")
        x, y, side = np.asarray(found, np.float64).reshape(-1, 4)[order, :3].T  # they are square
        middle = x + side * (0.5 + cascade.right)
        if cascade.mirrored:
            middle = image.shape[1] - middle
        low = y + side * (0.5 + cascade.down)
        part = side * cascade.side
        return np.stack([middle - part / 2, low - part / 2, part, part], axis=1) / scale

    @cached_property
    def _classifiers(self) -> dict[str, cv2.CascadeClassifier]:
        folder = Path(cv2.__file__).parent / "data"
        made = {file: cv2.CascadeClassifier(str(folder / file)) for file in {_FRONTAL.file, _PROFILE.file}}
        missing = next((file for file, classifier in made.items() if classifier.empty()), "")
        if missing:
            raise UserError(f"OpenCV's {folder / missing} is missing; install opencv-python-headless again.")
        return made


def _distinct(boxes: np.ndarray) -> np.ndarray:
    """Rows of boxes [F, 4] that are distinct faces; of overlapping ones the first is kept."""
    kept: list[int] = []
    for i, box in enumerate(boxes):
        if all(shared_area(box, boxes[k]) < _OVERLAP for k in kept):
            kept.append(i)
    return np.array(kept, np.int64)


def shared_area(a: np.ndarray, b: np.ndarray) -> float:
    """The area that two boxes share, as a fraction of the smaller one."""
    sides = np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])
    return float(np.clip(sides, 0, None).prod() / min(a[2] * a[3], b[2] * b[3]))
