"""The skin's reflectance, painted in the face plane (millimetres): once per person, then eyes and mouth per image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.synthetic.head import COLUMNS, FINE, ROWS, Features, HeadShape
from training.synthetic.person import Person


@dataclass(frozen=True)
class Canvas:
    """A texture and where its pixels lie: albedo [rows, columns], x [rows, columns], y [rows, 1] (mm), all float32."""

    albedo: np.ndarray
    x: np.ndarray
    y: np.ndarray

    def part(self, left: float, top: float, right: float, bottom: float) -> Canvas:
        """The part that covers this box of the face plane, front side only; painting on it paints on the whole."""
        rows = slice(*np.searchsorted(self.y[:, 0], (top, bottom)))
        middle = self.x[(rows.start + rows.stop) // 2]
        half = len(middle) // 2
        front = slice(half - half // 2, half + half // 2)
        columns = np.searchsorted(middle[front], (left, right)) + front.start
        here = (rows, slice(max(int(columns[0]) - 8, 0), int(columns[1]) + 8))
        return Canvas(self.albedo[here], self.x[here], self.y[rows])

    def blend(self, cover: np.ndarray, value: np.ndarray | float) -> None:
        """Paint `value` where `cover` (0..1) says."""
        self.albedo[...] += np.clip(cover, 0, 1) * (value - self.albedo)

    def darken(self, amount: np.ndarray) -> None:
        """Remove this share (0..1) of the light."""
        self.albedo[...] *= 1 - np.clip(amount, 0, 1)


def fine(grid: np.ndarray) -> np.ndarray:
    """A grid's values at the drawn points: bilinear, FINE x FINE points per cell."""
    return cv2.resize(grid, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_LINEAR)


def canvas(shape: HeadShape, albedo: np.ndarray) -> Canvas:
    """The canvas over this head's drawn points. albedo [ROWS * FINE, COLUMNS * FINE] is painted on, not copied."""
    return Canvas(albedo, fine(np.ascontiguousarray(shape.x)), fine(np.ascontiguousarray(shape.y))[:, :1])


def noise(rng: np.random.Generator, size: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    """Smooth noise float32 [rows, columns] of unit spread with `cells` bumps along each axis."""
    coarse = rng.standard_normal(cells, dtype=np.float32)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def soft(distance: np.ndarray, width: float = 0.8) -> np.ndarray:
    """1 well inside (distance > 0), 0 well outside, smooth over `width` mm."""
    return np.clip(distance / width + 0.5, 0, 1)


def line(
    part: Canvas, curve: np.ndarray, half_width: np.ndarray | float, span: tuple[float, float], *, edge: float = 1.2
) -> np.ndarray:
    """Cover of a stroke along y = curve [rows, columns] between x = span[0] and span[1]."""
    ends = np.minimum(part.x - span[0], span[1] - part.x)
    return soft(half_width - np.abs(part.y - curve), edge) * soft(ends, 2.0)


def skin(person: Person, shape: HeadShape) -> np.ndarray:
    """float32 [ROWS * FINE, COLUMNS * FINE]: everything constant between a person's images, except the brows."""
    rng = np.random.default_rng(person.texture_seed)
    size = (ROWS * FINE, COLUMNS * FINE)
    albedo = np.full(size, person.skin, np.float32)
    albedo *= 1 + 0.05 * noise(rng, size, (9, 16)) + 0.03 * noise(rng, size, (60, 90))
    whole = canvas(shape, albedo)
    face = whole.part(-66, -75, 66, 118)
    side = np.abs(face.x)
    face.darken(0.10 * _spot(side, face.y, (40, 28), (16, 14)))
    face.darken(0.5 * _spot(side, face.y, (7.5 * person.nose_width, person.nose_length + 4.5), (3.6, 1.8)) * 1.7)
    face.darken(0.22 * _spot(side, face.y, (17.0 * person.nose_width, person.nose_length + 2), (2.0, 6)))
    face.darken(0.16 * _spot(face.x, face.y, (0, person.nose_length + 8.0), (11, 2.4)))
    face.darken((0.12 + 0.15 * person.age) * _spot(side, face.y, (person.eye_spacing, 13), (12, 3.5)))
    face.darken(0.18 * _spot(side, face.y, (15.5, -3), (6, 9)))
    _wrinkles(face, person)
    _beard(face, person, rng)
    return albedo


def _spot(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], size: tuple[float, float]) -> np.ndarray:
    return np.exp(-(((x - centre[0]) / size[0]) ** 2)) * np.exp(-(((y - centre[1]) / size[1]) ** 2))


def _wrinkles(face: Canvas, person: Person) -> None:
    age = max(person.age * 1.3 - 0.35, 0)
    if age <= 0:
        return
    for k, height in enumerate((-40.0, -47.0, -54.0)):
        face.darken(0.16 * age * line(face, height + 0.0015 * face.x**2, 0.7, (-34 + 3 * k, 34 - 3 * k)))
    side = Canvas(face.albedo, np.abs(face.x), face.y)
    side.darken(0.25 * age * line(side, 19 - 0.012 * (side.x - 31) ** 2, 0.8, (19, 43)))


def _beard(face: Canvas, person: Person, rng: np.random.Generator) -> None:
    side = np.abs(face.x)
    hairs = np.clip(0.75 + 0.35 * noise(rng, face.albedo.shape, (110, 130)), 0.2, 1)
    tone = min(person.hair * 1.2, person.skin * 0.8)
    mouth = person.mouth_drop
    if person.beard:
        edge = mouth - 12 + 0.016 * np.maximum(0, 62 - side) ** 1.75
        edge = np.minimum(edge, mouth + 17) - 45 * np.clip((side - 50) / 9, 0, 1)  # up to the ears at the sides
        below = soft(face.y - edge, 9)
        lips = _spot(face.x, face.y, (0, mouth + 3), (person.mouth_width + 2, 10)) * 1.3
        face.blend(person.beard * hairs * np.clip(below - lips, 0, 1), tone)
    if person.moustache:
        cover = (
            _spot(side, face.y, (9, mouth - 11), (17, 4.6)) * 1.5 + _spot(side, face.y, (23, mouth - 3), (4, 8)) * 0.8
        )
        face.blend(person.moustache * hairs * cover, tone)


def brows(part: Canvas, person: Person, marks: Features) -> None:
    """Both eyebrows, from their inner to their outer ends. `part` covers one side; its x is used as |x|."""
    x, (x0, y0), (x1, y1) = np.abs(part.x), marks.brow_inner, marks.brow_outer
    along = (x - x0) / (x1 - x0)
    middle = y0 + (y1 - y0) * along - person.brow_arch * np.sin(np.pi * np.clip(along, 0, 1) ** 1.5)
    half = (
        person.brow_thickness
        / 2
        * np.interp(along, [-0.1, 0.0, 0.15, 0.6, 1.0, 1.05], [0.5, 0.8, 1.1, 0.95, 0.35, 0.2])
    )
    hairs = 0.86 + 0.14 * np.sin(x * 2.6 + part.y * 1.8)
    part.blend(
        soft(half - np.abs(part.y - middle), 1.6) * soft(np.minimum(x - x0 + 0.8, x1 + 0.8 - x), 2.2) * hairs,
        person.brow,
    )


def eye(part: Canvas, person: Person, marks: Features, *, left: bool) -> None:
    """One eye: socket shade, white, iris, pupil, glint, lashes, lid fold. `part` covers this eye."""
    x = part.x if left else -part.x
    (x0, y0), (x1, y1) = marks.eye_inner, marks.eye_outer
    along = np.clip((x - x0) / (x1 - x0), 0, 1)
    axis = y0 + (y1 - y0) * along
    arch = np.clip(4 * along * (1 - along), 0, 1)
    upper = axis - marks.lid_up * arch ** np.interp(along, [0, 1], [0.75, 0.55]).astype(np.float32)
    lower = axis + marks.lid_low * arch**0.8
    inside = np.minimum(part.y - upper, lower - part.y)
    open_ = soft(inside, 0.9) * soft(np.minimum(x - x0, x1 - x), 1.0)
    within = soft(np.minimum(x - x0 + 1, x1 + 2 - x), 2.5)
    part.darken(0.22 * _spot(x, part.y, (marks.eye[0], -marks.lid_up - 5), (17, 5)))
    fold = soft(0.7 - np.abs(part.y - (upper - 3.3 - 1.2 * arch)), 1.2)
    part.darken(0.38 * fold * within)
    white = min(1.2 * person.skin + 0.09, 0.5) * (0.72 + 0.28 * soft(part.y - upper - 1.6, 3.0))
    part.blend(open_, white)
    (cx, cy), radius = marks.iris[0 if left else 1], 5.9
    distance = np.hypot(part.x - cx, part.y - cy)
    tone = (
        person.iris * (0.6 + 0.4 * np.clip((distance - 2) / 3, 0, 1)) * (1 - 0.6 * soft(distance - radius + 0.9, 0.8))
    )
    part.blend(open_ * soft(radius - distance, 0.8), tone)
    part.blend(open_ * soft(2.3 - distance, 0.8), 0.006)
    part.blend(open_ * soft(0.95 - np.hypot(part.x - cx - 2.2, part.y - cy + 2.2), 0.7), 0.6)
    lash = soft(0.95 - np.abs(part.y - upper + 0.4), 1.1) * within
    part.blend(0.85 * lash, min(0.015, person.skin * 0.2))
    part.darken(0.3 * soft(0.6 - np.abs(part.y - lower - 0.3), 1.2) * within)


def mouth(face: Canvas, person: Person, marks: Features, *, smile: float) -> None:
    """Lips, the line between them or the open mouth with teeth, and the folds from nose to mouth."""
    right, left = marks.mouth_right, marks.mouth_left
    top, bottom = min(marks.lip_top, right[1], left[1]), max(marks.lip_bottom, right[1], left[1])
    _lips(face.part(right[0] - 5, top - 4, left[0] + 5, bottom + 8), person, marks, smile=smile)
    for side, corner in ((1, left), (-1, right)):
        inner, outer = sorted((side * 10.0, side * (abs(corner[0]) + 12)))
        part = face.part(inner, person.nose_length - 4, outer, corner[1] + 9)
        part.darken(0.45 * _spot(part.x, part.y, (corner[0] + side * 0.5, corner[1]), (2.4, 1.8)))
        _fold(part, side, corner, person, smile)


def _lips(part: Canvas, person: Person, marks: Features, *, smile: float) -> None:
    (xl, yl), (xr, yr) = marks.mouth_left, marks.mouth_right
    x, y = part.x, part.y
    along = (x - xr) / (xl - xr) * 2 - 1  # -1 right corner .. 1 left corner
    inside = np.clip(1 - along**2, 0, 1)
    root = np.sqrt(inside)  # the curves leave the corners at a slope
    corner = yr + (yl - yr) * (along + 1) / 2
    bow = 0.09 * (marks.lip_line - marks.lip_top) * np.exp(-((x / 3.2) ** 2))
    upper = 0.5 * (root + inside)
    top = corner + (marks.lip_top - 0.3 - corner) * upper + bow
    upper_line = corner + (marks.lip_line - corner) * upper
    lower_line = corner + (marks.lip_line + marks.gap - corner) * root
    bottom = corner + (marks.lip_bottom - corner) * root
    ends = soft(np.minimum(x - xr, xl - x), 1.6)
    tone = person.skin * person.lip_tone
    part.blend(0.9 * ends * soft(np.minimum(y - top, upper_line - y), 1.5), tone * 0.82)
    part.blend(0.85 * ends * soft(np.minimum(y - lower_line, bottom - y), 1.7), tone)
    part.darken(0.22 * _spot(x, y, (0, marks.lip_bottom + 3.0), (13, 2.2)))
    if marks.gap > 0:
        hole = ends * soft(np.minimum(y - upper_line, lower_line - y), 0.9)
        part.blend(hole, 0.012)
        height = min(marks.gap * 0.7, 6.5) if smile > 0.2 else min(marks.gap * 0.35, 4.0)
        teeth = soft(np.minimum(y - upper_line - 0.4, upper_line + height - y), 1.0) * (0.2 + inside)
        part.blend(hole * teeth * (0.85 if marks.gap > 2 else 0), min(0.42, 0.1 + 0.9 * person.skin))
    part.blend(0.8 * ends * soft(0.55 - np.abs(y - upper_line), 1.2), 0.02 + 0.05 * person.skin)


def _fold(part: Canvas, side: int, corner: tuple[float, float], person: Person, smile: float) -> None:
    """The fold from the nose's wing past the corner of the mouth."""
    top = person.nose_length + 1
    along = np.clip((part.y - top) / (corner[1] + 3 - top), 0, 1)
    path = 18 + (abs(corner[0]) + 6 - 18) * along**1.2
    strength = 0.04 + 0.16 * person.age + 0.22 * max(smile, 0)
    cover = np.exp(-(((part.x * side - path) / 1.9) ** 2)) * soft(np.minimum(part.y - top, corner[1] + 5 - part.y), 5)
    part.darken(strength * cover)
