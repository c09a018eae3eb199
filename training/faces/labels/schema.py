"""Keypoint schemas: names, mirror partners, lines to draw, positions on an average face, and normalisers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from training.errors import UserError

Indices = tuple[int, ...]
Value = TypeVar("Value")
MOST_KEYPOINTS = 100_000
_FAR = 1e6  # of a template's coordinates, which are in the unit square or near it


@dataclass(frozen=True)
class KeypointSchema:
    """The keypoints of a data set. 'Left' is always the subject's left.

    flip[k] is the keypoint that k becomes in a mirrored image. template: one (x, y) per keypoint in the unit square, y
    down, of a frontal face seen by the camera (the subject's left is at large x). A normaliser is a pair of index
    groups; the distance between the means of both groups is the unit of an NME. interocular: the outer eye corners
    where that is the standard measure (300-W); the eye centres for the Kaggle points, where only they are labelled on
    nearly every face. interpupil: the eye centres (300-W: the mean of each eye's six points). Empty groups: the schema
    has no such normaliser.
    """

    name: str
    keypoints: tuple[str, ...]
    flip: Indices
    edges: tuple[tuple[int, int], ...] = ()
    template: tuple[tuple[float, float], ...] = ()
    interocular: tuple[Indices, Indices] = ((), ())
    interpupil: tuple[Indices, Indices] = ((), ())

    def __post_init__(self) -> None:
        k = len(self.keypoints)
        if k == 0 or len(set(self.keypoints)) != k:
            raise UserError(f"The schema {self.name!r} needs keypoints with different names.")
        if len(self.flip) != k or any(not 0 <= f < k or self.flip[f] != i for i, f in enumerate(self.flip)):
            raise UserError(f"The left/right pairs of the schema {self.name!r} are not symmetric.")

    def __len__(self) -> int:
        return len(self.keypoints)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the 2K coordinate columns in a CSV: `<keypoint>_x`, `<keypoint>_y`, in order."""
        return tuple(f"{name}_{axis}" for name in self.keypoints for axis in "xy")

    @cached_property
    def titles(self) -> tuple[str, ...]:
        """The keypoints' names for display: `left_eye_center` -> `left eye center`."""
        return tuple(name.replace("_", " ") for name in self.keypoints)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> KeypointSchema:
        """Raises UserError where the values are not a schema's."""
        try:
            count = len(values["keypoints"])
            if count > MOST_KEYPOINTS:
                raise ValueError(f"it has more than {MOST_KEYPOINTS:,} keypoints")
            template = tuple(_pair(_number(x), _number(y)) for x, y in values["template"])
            if len(template) not in (0, count):
                raise ValueError("its template is not a point for each keypoint")
            return cls(
                name=_text(values["name"]),
                keypoints=tuple(map(_text, values["keypoints"])),
                flip=_indices(values["flip"], count),
                edges=tuple(_pair(*_indices(edge, count)) for edge in values["edges"]),
                template=template,
                interocular=_groups(values["interocular"], count),
                interpupil=_groups(values["interpupil"], count),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"This is not a keypoint schema ({error}).") from error


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"{str(value)[:40]} is not a name")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) < _FAR:
        raise ValueError(f"{str(value)[:40]} is not a coordinate of a template")
    return float(value)


def _pair(first: Value, second: Value) -> tuple[Value, Value]:
    return first, second


def _indices(values: Any, count: int) -> Indices:
    if type(values) not in (list, tuple) or any(type(i) is not int or not 0 <= i < count for i in values):
        raise ValueError(f"{str(values)[:40]} are not numbers of keypoints")
    return tuple(values)


def _groups(pair: Any, count: int) -> tuple[Indices, Indices]:
    left, right = pair
    return _indices(left, count), _indices(right, count)


def flip_pairs(names: Sequence[str]) -> Indices:
    """Mirror partners by name: `left_eye` and `right_eye`, `eye_l` and `eye_r`; others are their own partner."""
    where: dict[str, int] = {}
    for i, name in enumerate(names):
        where.setdefault(name.lower(), i)
    swap = {"left": "right", "right": "left", "l": "r", "r": "l"}

    def partner(i: int, name: str) -> int:
        parts = re.split(r"([^a-z]+)", name.lower())
        mirrored = "".join(swap.get(part, part) for part in parts)
        return where.get(mirrored, i)

    found = [partner(i, name) for i, name in enumerate(names)]
    return tuple(f if found[f] == i else i for i, f in enumerate(found))


def schema_from_names(names: Sequence[str], *, name: str = "custom", mean: np.ndarray | None = None) -> KeypointSchema:
    """A schema for a CSV's columns; a known one if the names match. mean: [K, 2] mean points for the template."""
    for known in SCHEMAS.values():
        if tuple(names) == known.keypoints:
            return known
    flip = flip_pairs(names)
    eyes = [
        (i, flip[i])
        for i, n in enumerate(names)
        if flip[i] != i and "left" in n.lower() and "eye" in n.lower() and "brow" not in n.lower()
    ]
    centre = next((p for p in eyes if re.search("cent|pupil", names[p[0]].lower())), eyes[0] if eyes else None)
    groups: tuple[Indices, Indices] = ((centre[0],), (centre[1],)) if centre else ((), ())
    return KeypointSchema(
        name, tuple(names), flip, template=_template(names, mean), interocular=groups, interpupil=groups
    )


def _template(names: Sequence[str], mean: np.ndarray | None) -> tuple[tuple[float, float], ...]:
    if mean is None or not np.isfinite(mean).all():
        angles = np.linspace(0, 2 * np.pi, len(names), endpoint=False)
        return tuple((0.5 + 0.35 * float(np.sin(a)), 0.5 - 0.35 * float(np.cos(a))) for a in angles)
    low, span = mean.min(axis=0), np.ptp(mean, axis=0).max() or 1.0
    centred = 0.5 + 0.7 * ((mean - low) / span - np.ptp(mean, axis=0) / span / 2)
    return tuple((float(x), float(y)) for x, y in centred)


KAGGLE_15 = KeypointSchema(
    name="kaggle-15",
    keypoints=(
        "left_eye_center",
        "right_eye_center",
        "left_eye_inner_corner",
        "left_eye_outer_corner",
        "right_eye_inner_corner",
        "right_eye_outer_corner",
        "left_eyebrow_inner_end",
        "left_eyebrow_outer_end",
        "right_eyebrow_inner_end",
        "right_eyebrow_outer_end",
        "nose_tip",
        "mouth_left_corner",
        "mouth_right_corner",
        "mouth_center_top_lip",
        "mouth_center_bottom_lip",
    ),
    flip=(1, 0, 4, 5, 2, 3, 8, 9, 6, 7, 10, 12, 11, 13, 14),
    edges=((2, 0), (0, 3), (4, 1), (1, 5), (6, 7), (8, 9), (11, 13), (13, 12), (12, 14), (14, 11)),
    template=(
        (0.69, 0.39), (0.31, 0.39), (0.61, 0.40), (0.77, 0.40), (0.39, 0.40), (0.23, 0.40), (0.59, 0.30), (0.84, 0.30),
        (0.41, 0.30), (0.16, 0.30), (0.50, 0.59), (0.66, 0.78), (0.34, 0.78), (0.50, 0.75), (0.50, 0.85),
    ),
    interocular=((0,), (1,)),
    interpupil=((0,), (1,)),
)  # fmt: skip

# 300-W (iBUG) 68 points: 0-16 jaw, 17-21 and 22-26 brows, 27-35 nose, 36-41 and 42-47 eyes, 48-67 mouth. In the
# image 0 is at the left edge, which is the subject's right.
_IBUG_NAMES = (
    *(f"jaw_{i}" for i in range(17)),
    *(f"right_eyebrow_{i}" for i in range(5)),
    *(f"left_eyebrow_{i}" for i in range(5)),
    *(f"nose_bridge_{i}" for i in range(4)),
    *(f"nose_base_{i}" for i in range(5)),
    *(f"right_eye_{i}" for i in range(6)),
    *(f"left_eye_{i}" for i in range(6)),
    *(f"outer_lip_{i}" for i in range(12)),
    *(f"inner_lip_{i}" for i in range(8)),
)
_IBUG_FLIP = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip
_IBUG_TEMPLATE = (
    *((0.5 - 0.42 * float(np.cos(a)), 0.40 + 0.53 * float(np.sin(a))) for a in np.linspace(-0.1, np.pi + 0.1, 17)),
    (0.15, 0.27), (0.20, 0.22), (0.27, 0.20), (0.35, 0.21), (0.42, 0.24),
    (0.58, 0.24), (0.65, 0.21), (0.73, 0.20), (0.80, 0.22), (0.85, 0.27),
    (0.50, 0.33), (0.50, 0.41), (0.50, 0.48), (0.50, 0.55), (0.42, 0.60), (0.46, 0.615), (0.50, 0.63), (0.54, 0.615),
    (0.58, 0.60),
    (0.23, 0.34), (0.28, 0.31), (0.34, 0.31), (0.40, 0.35), (0.34, 0.365), (0.28, 0.365),
    (0.60, 0.35), (0.66, 0.31), (0.72, 0.31), (0.77, 0.34), (0.72, 0.365), (0.66, 0.365),
    (0.33, 0.75), (0.39, 0.72), (0.45, 0.70), (0.50, 0.715), (0.55, 0.70), (0.61, 0.72), (0.67, 0.75), (0.61, 0.80),
    (0.56, 0.825),
    (0.50, 0.83), (0.44, 0.825), (0.39, 0.80),
    (0.35, 0.75), (0.45, 0.74), (0.50, 0.745), (0.55, 0.74), (0.65, 0.75), (0.55, 0.775), (0.50, 0.78), (0.45, 0.775),
)  # fmt: skip


def _chain(first: int, last: int, *, closed: bool = False) -> tuple[tuple[int, int], ...]:
    line = tuple((i, i + 1) for i in range(first, last))
    return (*line, (last, first)) if closed else line


IBUG_68 = KeypointSchema(
    name="ibug-68",
    keypoints=_IBUG_NAMES,
    flip=_IBUG_FLIP,
    edges=(
        *_chain(0, 16), *_chain(17, 21), *_chain(22, 26), *_chain(27, 30), *_chain(31, 35),
        *_chain(36, 41, closed=True), *_chain(42, 47, closed=True), *_chain(48, 59, closed=True),
        *_chain(60, 67, closed=True),
    ),
    template=_IBUG_TEMPLATE,
    interocular=((45,), (36,)),
    interpupil=(tuple(range(42, 48)), tuple(range(36, 42))),
)  # fmt: skip

# AFLW without the two ears, in the order of its database, which names points as seen in the image: its
# LeftBrowLeftCorner is the outer end of the subject's right brow.
AFLW_19 = KeypointSchema(
    name="aflw-19",
    keypoints=(
        "right_eyebrow_outer_end", "right_eyebrow_center", "right_eyebrow_inner_end",
        "left_eyebrow_inner_end", "left_eyebrow_center", "left_eyebrow_outer_end",
        "right_eye_outer_corner", "right_eye_center", "right_eye_inner_corner",
        "left_eye_inner_corner", "left_eye_center", "left_eye_outer_corner",
        "nose_right", "nose_tip", "nose_left", "mouth_right_corner", "mouth_center", "mouth_left_corner", "chin",
    ),
    flip=(5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 14, 13, 12, 17, 16, 15, 18),
    edges=((0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11), (12, 13), (13, 14), (15, 16), (16, 17)),
    template=(
        (0.16, 0.28), (0.28, 0.22), (0.41, 0.27), (0.59, 0.27), (0.72, 0.22), (0.84, 0.28),
        (0.22, 0.37), (0.31, 0.36), (0.40, 0.38), (0.60, 0.38), (0.69, 0.36), (0.78, 0.37),
        (0.40, 0.58), (0.50, 0.57), (0.60, 0.58), (0.34, 0.74), (0.50, 0.74), (0.66, 0.74), (0.50, 0.95),
    ),
    interocular=((11,), (6,)),
    interpupil=((10,), (7,)),
)  # fmt: skip

# COFW: the 29 points of LFPW in its order, the subject's right (the left in the image) first.
COFW_29 = KeypointSchema(
    name="cofw-29",
    keypoints=(
        "right_eyebrow_outer_end", "left_eyebrow_outer_end", "right_eyebrow_inner_end", "left_eyebrow_inner_end",
        "right_eyebrow_top", "right_eyebrow_bottom", "left_eyebrow_top", "left_eyebrow_bottom",
        "right_eye_outer_corner", "left_eye_outer_corner", "right_eye_inner_corner", "left_eye_inner_corner",
        "right_eye_top", "right_eye_bottom", "left_eye_top", "left_eye_bottom", "right_pupil", "left_pupil",
        "nose_right", "nose_left", "nose_tip", "nose_bottom", "mouth_right_corner", "mouth_left_corner",
        "upper_lip_top", "upper_lip_bottom", "lower_lip_top", "lower_lip_bottom", "chin",
    ),
    flip=(1, 0, 3, 2, 6, 7, 4, 5, 9, 8, 11, 10, 14, 15, 12, 13, 17, 16, 19, 18, 20, 21, 23, 22, 24, 25, 26, 27, 28),
    edges=(
        (0, 4), (4, 2), (2, 5), (5, 0), (1, 6), (6, 3), (3, 7), (7, 1), (8, 12), (12, 10), (10, 13), (13, 8),
        (9, 14), (14, 11), (11, 15), (15, 9), (18, 21), (21, 19), (22, 24), (24, 23), (23, 27), (27, 22), (22, 25),
        (25, 23), (23, 26), (26, 22),
    ),
    template=(
        (0.14, 0.29), (0.86, 0.29), (0.41, 0.28), (0.59, 0.28), (0.28, 0.22), (0.28, 0.26), (0.72, 0.22), (0.72, 0.26),
        (0.21, 0.38), (0.79, 0.38), (0.40, 0.39), (0.60, 0.39), (0.31, 0.35), (0.31, 0.40), (0.69, 0.35), (0.69, 0.40),
        (0.31, 0.375), (0.69, 0.375), (0.40, 0.58), (0.60, 0.58), (0.50, 0.56), (0.50, 0.62), (0.34, 0.75),
        (0.66, 0.75),
        (0.50, 0.71), (0.50, 0.735), (0.50, 0.765), (0.50, 0.81), (0.50, 0.97),
    ),
    interocular=((9,), (8,)),
    interpupil=((17,), (16,)),
)  # fmt: skip

SCHEMAS: dict[str, KeypointSchema] = {s.name: s for s in (KAGGLE_15, IBUG_68, AFLW_19, COFW_29)}
