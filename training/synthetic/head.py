"""The head as a surface: a grid of points over (angle, height), and where the fifteen keypoints lie on it.

Head coordinates are millimetres: x to the subject's left (right in the image), y down, z out of the face. The origin
is inside the skull at the height of the eyes. Every row of the grid has one y; columns are angles round the vertical
axis, the face's middle at angle 0. Features (nose, lips, sockets) push points along z, so (x, y) stays a plane in which
they can be drawn as on a portrait.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from training.synthetic.person import Person, Scene

ROWS, COLUMNS = 112, 192
FINE = 2  # drawn points per grid cell and axis

# Outline of an average head, top to bottom: y, half width, front, back, axis (z). After anthropometric tables' means:
# head 150 mm wide, 195 mm deep, 225 mm from vertex to chin, eyes half way.
_OUTLINE = np.array([
    (-115.0, 0.5, 5, -5, 0), (-113, 18, 25, -30, 0), (-106, 38, 48, -60, 0), (-92, 56, 68, -82, 0),
    (-70, 69, 82, -97, 0),
    (-45, 74, 89, -102, 0), (-20, 73.5, 90, -102, 0), (0, 71, 87, -98, 0), (20, 69, 85, -90, 0), (40, 65, 84, -75, 5),
    (60, 61, 84, -50, 18), (78, 55, 84, -25, 28), (94, 44, 83, 0, 40), (104, 31, 79, 10, 43), (110, 16, 71, 20, 45),
    (112, 6, 60, 30, 45), (112.5, 1, 50, 40, 45),
])  # fmt: skip


@dataclass(frozen=True)
class Features:
    """Where a person's features are in one image's expression: millimetres in the face plane (x, y)."""

    eye: tuple[float, float]  # centre of the left eye's opening
    iris: tuple[tuple[float, float], tuple[float, float]]  # left, right
    eye_inner: tuple[float, float]
    eye_outer: tuple[float, float]
    lid_up: float
    lid_low: float
    brow_inner: tuple[float, float]
    brow_outer: tuple[float, float]
    nose_tip: tuple[float, float]
    mouth_left: tuple[float, float]
    mouth_right: tuple[float, float]
    lip_top: float
    lip_line: float
    lip_bottom: float
    gap: float

    def keypoints(self) -> np.ndarray:
        """float64 [15, 2]: the Kaggle keypoints in the face plane, in the schema's order."""

        def right(point: tuple[float, float]) -> tuple[float, float]:
            return (-point[0], point[1])

        return np.array([
            self.iris[0], self.iris[1],
            self.eye_inner, self.eye_outer, right(self.eye_inner), right(self.eye_outer),
            self.brow_inner, self.brow_outer, right(self.brow_inner), right(self.brow_outer),
            self.nose_tip, self.mouth_left, self.mouth_right, (0.0, self.lip_top), (0.0, self.lip_bottom),
        ])  # fmt: skip


def features(person: Person, scene: Scene) -> Features:
    """The person's features with the expression of this image."""
    half = person.eye_width / 2
    slant = person.eye_slant
    lids = scene.lids
    up, low = person.eye_height * 0.62 * lids, person.eye_height * 0.38 * (0.5 + 0.5 * lids)
    low -= 0.8 * max(scene.smile, 0)
    centre_y = (low - up) * 0.35 if lids > 0.3 else low * 0.5
    iris = tuple(
        (side * person.eye_spacing + 3.2 * scene.gaze[0], centre_y + 1.3 * scene.gaze[1] * min(lids, 1))
        for side in (1, -1)
    )
    smile, gap = scene.smile, scene.mouth_open
    corner_x, corner_y = (
        person.mouth_width + 5.5 * max(smile, 0) - 0.12 * gap,
        person.mouth_drop - 4.5 * smile + 0.25 * gap,
    )
    line = person.mouth_drop - 0.6 * max(smile, 0)
    full = person.lip_fullness
    raise_ = -scene.brow_raise
    return Features(
        eye=(person.eye_spacing, 0.0),
        iris=(iris[0], iris[1]),
        eye_inner=(person.eye_spacing - half, slant * 0.6),
        eye_outer=(person.eye_spacing + half, -slant),
        lid_up=up,
        lid_low=low,
        brow_inner=(12.5, -person.brow_gap + 1.2 + raise_),
        brow_outer=(55.0, -person.brow_gap + 1.0 + 0.6 * raise_),
        nose_tip=(0.0, person.nose_length),
        mouth_left=(corner_x, corner_y - 2.5 * scene.smirk),
        mouth_right=(-corner_x, corner_y + 2.5 * scene.smirk),
        lip_top=line - 6.5 * full * (1 - 0.2 * max(smile, 0)),
        lip_line=line,
        lip_bottom=line + gap + 9.0 * full * (1 - 0.12 * max(smile, 0)),
        gap=gap,
    )


@dataclass(frozen=True)
class HeadShape:
    """The surface. grid: float32 [ROWS, COLUMNS, 3], mm; all points of a row have one y."""

    grid: np.ndarray

    @property
    def x(self) -> np.ndarray:
        """float32 [ROWS, COLUMNS]."""
        return self.grid[..., 0]

    @property
    def y(self) -> np.ndarray:
        """float32 [ROWS, 1]."""
        return self.grid[:, :1, 1]

    def lift(self, points: np.ndarray) -> np.ndarray:
        """float64 [P, 3]: the surface points above face-plane points [P, 2] (the side that faces forward)."""
        row = np.interp(points[:, 1], self.y[:, 0], np.arange(ROWS))
        low = np.clip(row.astype(int), 0, ROWS - 2)
        part = row - low
        front = np.flatnonzero(np.abs(angles()) < np.pi / 2)
        x, z = (self.grid[:, front, axis].astype(np.float64) for axis in (0, 2))
        depth = []
        for r, p, at in zip(low, part, points[:, 0], strict=True):
            depth.append(np.interp(at, (1 - p) * x[r] + p * x[r + 1], (1 - p) * z[r] + p * z[r + 1]))
        return np.column_stack([points, depth])


@lru_cache(maxsize=1)
def angles() -> np.ndarray:
    """Angles of the grid's columns, -pi..pi: a full turn, closer together round the face."""
    even = (np.arange(COLUMNS) + 0.5) / COLUMNS * 2 * np.pi - np.pi
    return even - 0.38 * np.sin(even)


def outline(person: Person) -> np.ndarray:
    """float64 [ROWS, 5]: y, half width, front, back, axis of each row."""
    table = _OUTLINE.copy()
    lower = np.clip((table[:, 0] - 50) / 50, 0, 1)
    upper = 1 - np.clip((table[:, 0] + 20) / 60, 0, 1)
    table[:, 1] *= person.width * (1 + (person.jaw - 1) * lower + 0.02 * upper)
    table[:, 0] = table[:, 0] * person.height + (person.mouth_drop - 68) * lower
    table[:, 2] += 3.0 * (person.chin - 1) * lower
    step = np.hypot(np.diff(table[:, 0]), np.diff(table[:, 2])) * np.interp(
        table[1:, 0], [-60, -30, 100, 106], [0.6, 1, 1, 0.6]
    )
    length = np.concatenate([[0], np.cumsum(step)])
    at = np.linspace(0, length[-1], ROWS)
    rows = np.column_stack([np.interp(at, length, column) for column in table.T])
    kernel = np.exp(-0.5 * (np.arange(-9, 10) / 3.2) ** 2)
    padded = np.pad(rows, ((9, 9), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = np.column_stack([np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T])
    smooth[:, 1] = np.maximum(smooth[:, 1], 0.5)
    smooth[:, 0] = np.maximum.accumulate(smooth[:, 0] + np.arange(ROWS) * 1e-4)
    return smooth


def ring(
    half_width: np.ndarray, front: np.ndarray, back: np.ndarray, axis: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """x and z float32 [rows, COLUMNS] of superellipses, a little flatter in front than an ellipse."""
    sine, cosine = (f(angles()).astype(np.float32) for f in (np.sin, np.cos))
    half_width, front, back, axis = (a.astype(np.float32)[:, None] for a in (half_width, front, back, axis))
    depth = np.maximum(np.where(cosine > 0, front - axis, axis - back), 0.5)
    power = 2.35
    radius = (np.abs(sine / half_width) ** power + np.abs(cosine / depth) ** power) ** (-1 / power)
    return radius * sine, radius * cosine + axis


def grid_of(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """float32 [rows, columns, 3] of coordinates that broadcast against each other."""
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1).astype(np.float32)


def skull(person: Person) -> HeadShape:
    """The head without features and with the mouth shut."""
    rows = outline(person)
    x, z = ring(*rows[:, 1:].T)
    return HeadShape(grid_of(x, rows[:, :1], z))


def head_shape(bare: HeadShape, person: Person, marks: Features) -> HeadShape:
    """The person's head with this expression; `bare` is the skull. An open mouth lengthens the jaw."""
    grid = bare.grid.copy()
    grid[..., 1] += 0.75 * marks.gap * np.clip((bare.y - 50) / 50, 0, 1)
    front = slice(*np.searchsorted(angles(), (-1.49, 1.49)))
    forward = np.clip(np.cos(angles()[front]) * 2.5 - 0.2, 0, 1).astype(np.float32)
    grid[:, front, 2] += _relief(person, marks, grid[:, front, 0], grid[:, :1, 1]) * forward
    return HeadShape(grid)


def _bump(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], size: tuple[float, float]) -> np.ndarray:
    return np.exp(-(((x - centre[0]) / size[0]) ** 2)) * np.exp(-(((y - centre[1]) / size[1]) ** 2))


def _relief(person: Person, marks: Features, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Millimetres that the features push the surface out along z. x: [rows, columns], y: [rows, 1]."""
    side = np.abs(x)
    eye, lips = marks.eye, person.lip_fullness
    middle = (marks.lip_line + marks.lip_bottom) / 2 + marks.gap / 2
    smile = max(marks.mouth_left[0] - person.mouth_width, 0) / 5.5
    return (
        -9.0 * _bump(side, y, (eye[0] - 1, eye[1] - 2), (19, 12))
        + 4.5 * _bump(side, y, eye, (11, 7.5))
        + 3.0 * _bump(side, y, (24, -person.brow_gap + 3), (24, 7))
        + (4.0 * person.cheeks + 3 * smile) * _bump(side, y, (43, 26 - 2 * smile), (17, 15))
        - 3.0 * _bump(side, y, (50, 62), (12, 16))
        + _nose(person, side, y)
        + 5.0 * lips * _bump(x, y, (0, marks.lip_line - 3), (20, 5))
        - 2.5 * _bump(x, y, (0, marks.lip_line + marks.gap / 2), (24, 2.2 + marks.gap / 2))
        + 5.5 * lips * _bump(x, y, (0, middle + 1), (16, 4.6))
        - 3.5 * _bump(x, y, (0, marks.lip_bottom + 6), (20, 4.5))
        + 5.5 * person.chin * _bump(x, y, (0, marks.lip_bottom + 20), (17, 11))
    )


def _nose(person: Person, side: np.ndarray, y: np.ndarray) -> np.ndarray:
    tip = person.nose_length
    along = y / tip
    at = [-0.75, -0.4, 0.0, 0.25, 0.6, 0.88, 0.98, 1.06, 1.14, 1.22]
    ridge = np.interp(along, at, [0, 1.5, 4, 8, 17, 24.0, 25.0, 20, 9, 0])
    ridge = np.asarray(cv2.GaussianBlur(ridge, (1, 7), 1.3), np.float32)
    widths = np.interp(along, [-0.3, 0.1, 0.5, 0.9, 1.1], [10, 6.5, 7.5, 9.3, 9.0]).astype(np.float32)
    breadth = person.nose_width * widths
    body = ridge * np.exp(-((side / breadth) ** 2))
    wings = 8.0 * _bump(side, y, (11.0 * person.nose_width, tip + 0.5), (5.0 * person.nose_width, 5.5))
    return person.nose_height * body + wings * np.exp(-np.maximum(y - tip - 6, 0) / 1.6)
