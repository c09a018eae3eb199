"""Tracks faces through the frames of a video: detected now and then, in between followed by the last frame's points."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from training.faces.images.crops import box_of_points, cut, square_crop
from training.faces.images.face_detector import ROOM, FaceDetector, shared_area
from training.faces.images.reading import resize_image, resize_points

EVERY = 15  # frames between two searches for faces
_LATE = 6  # frames after which a detected face may have moved
MOST = 8  # faces tracked at once, largest first
_LOST = 0.15  # mean confidence of the points, below which it is no longer taken for a face
_DOUBTFUL = 0.5  # the same for a face that _MISSED searches in a row have not found
_MISSED = 3
_SMALLEST = 16  # px
_SEARCHED = 400  # px: longer side of the image that is searched for faces
_SAME = 0.3  # of the smaller box: boxes that share more are one face

# images uint8 [B, S, S, 3] -> points [B, K, 2] in their px, confidences [B, K]
Predict = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Face:
    """A face in a frame. number: constant through the video. box: [4], x, y, width, height. All in px of the frame."""

    number: int
    box: np.ndarray
    points: np.ndarray  # [K, 2]
    confidences: np.ndarray  # [K]


@dataclass(frozen=True)
class _Followed:
    """frame: position of the face's box relative to its points' box: middle (x, y) and side, in units of the points'
    side.
    """

    face: Face
    frame: np.ndarray = field(default_factory=lambda: np.zeros(3))
    missed: int = 0


@dataclass(frozen=True)
class _Search:
    """A search for faces in a frame. followed: the boxes, by number, of the faces tracked in that frame."""

    image: np.ndarray
    followed: dict[int, np.ndarray]
    found: Future[np.ndarray]  # boxes [F, 4]


class FaceTracker:
    """Tracks the faces of one video. side: px of the images that `predict` is given."""

    def __init__(self, predict: Predict, *, side: int, every: int = EVERY) -> None:
        self._predict, self._side, self._every = predict, side, every
        self._detector = FaceDetector()
        self._thread = ThreadPoolExecutor(1)
        self._search: _Search | None = None
        self._age = 0  # frames since its image
        self._hurry = False  # the last search came too late: wait for the next one
        self._followed: list[_Followed] = []
        self._count = 0
        self._wait = 0  # frames until the next search

    def follow(self, image: np.ndarray, *, wait: bool = True) -> list[Face]:
        """The faces of the next frame, uint8 [H, W, 3] RGB. The frame must not be changed afterwards.

        A search takes as long as several frames. wait: for its end, so that the same frames always give the same faces.
        Otherwise tracking goes on meanwhile, and a new face appears when the search has ended; if that was too late, as
        on a busy machine, the next search is waited for.
        """
        asked = [(f, _box(f)) for f in self._followed]
        asked = [(f, box) for f, box in asked if _is_inside(box, image.shape)]
        self._age += 1
        if self._search is None and self._wait <= 0:
            boxes = {f.face.number: box for f, box in asked}
            self._search = _Search(image, boxes, self._thread.submit(self._found, image))
            self._age = 0
        waits = wait or self._hurry
        ended = self._search if self._search is not None and (waits or self._search.found.done()) else None
        if ended is not None:
            self._search = None
            asked = self._matched(image, asked, ended)
        before = {f.face.number for f in self._followed}
        self._followed = self._placed(image, asked)
        self._wait = self._every - 1 if ended is not None and self._followed else self._wait - 1
        lost = before - {f.face.number for f in self._followed}
        if self._hurry or (lost and not wait):  # without waiting, a search holds up nothing
            self._wait = 0
        return [f.face for f in self._followed]

    def _found(self, image: np.ndarray) -> np.ndarray:
        """Boxes of the largest faces, in image px; searched at a scale that takes less than a frame's time."""
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        height, width = gray.shape
        scale = min(1.0, _SEARCHED / max(height, width))
        small = resize_image(gray, (max(1, round(width * scale)), max(1, round(height * scale))))
        return self._detector.find(small)[:MOST] / scale

    def _matched(
        self, image: np.ndarray, asked: list[tuple[_Followed, np.ndarray]], search: _Search
    ) -> list[tuple[_Followed, np.ndarray]]:
        """Match tracked faces with detections: an unmatched detection is a new face."""
        found = search.found.result()
        kept = []
        taken = np.zeros(len(found), bool)
        for followed, box in asked:
            places = (box, search.followed[followed.face.number])  # now, and in the frame that was searched
            same = np.array([any(shared_area(p, other) > _SAME for p in places) for other in found], bool) & ~taken
            taken |= same
            kept.append((replace(followed, missed=0 if same.any() else followed.missed + 1), box))
        self._hurry = self._age > _LATE and not taken.all()
        if self._hurry:
            return kept
        fresh = [(self._new(box), box) for box in found[~taken][: MOST - len(kept)]]
        if (
            search.image is not image
        ):  # they may have moved since: keep the box's position relative to their points then
            fresh = [(face, _box(face)) for face in self._placed(search.image, fresh)]
        return kept + fresh

    def _new(self, box: np.ndarray) -> _Followed:
        self._count += 1
        return _Followed(Face(self._count, box, np.zeros((0, 2)), np.zeros(0)))

    def _placed(self, image: np.ndarray, asked: list[tuple[_Followed, np.ndarray]]) -> list[_Followed]:
        """Place points in these boxes; drop what is no longer a face, and duplicates."""
        if not asked:
            return []
        crops = [square_crop(box, ROOM) for _, box in asked]
        points, confidences = self._predict(np.stack([resize_image(cut(image, crop), self._side) for crop in crops]))
        kept: list[_Followed] = []
        for (followed, box), crop, xy, sure in zip(asked, crops, points, confidences, strict=True):
            placed = resize_points(xy, (self._side, self._side), (crop[2], crop[2])) + crop[:2]
            mean = float(sure.mean())
            lost = mean < _LOST or (followed.missed >= _MISSED and mean < _DOUBTFUL)
            if lost or any(shared_area(box, other.face.box) > 0.6 for other in kept):
                continue
            frame = followed.frame if len(followed.face.points) else _frame(box, placed)
            kept.append(replace(followed, face=Face(followed.face.number, box, placed, sure), frame=frame))
        return kept


def _frame(box: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The position of a face's box relative to the box of its points."""
    middle, side = _middle_and_side(box_of_points(points[None])[0])
    of_face, own = _middle_and_side(box)
    return np.array([*((of_face - middle) / side), own / side])


def _box(followed: _Followed) -> np.ndarray:
    """The face's box, from the last frame's points."""
    middle, side = _middle_and_side(box_of_points(followed.face.points[None])[0])
    own = followed.frame[2] * side
    return np.array([*(middle + followed.frame[:2] * side - own / 2), own, own])


def _middle_and_side(box: np.ndarray) -> tuple[np.ndarray, float]:
    return box[:2] + box[2:] / 2, max(1.0, float(box[2:].max()))


def _is_inside(box: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether the box's middle is in the image and its size is plausible for a face."""
    middle, side = _middle_and_side(box)
    height, width = shape[:2]
    return bool(
        (middle >= 0).all() and middle[0] < width and middle[1] < height and _SMALLEST <= side <= 2 * max(shape[:2])
    )
