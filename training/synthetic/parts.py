"""Surfaces and loose points around the face: ears, neck, glasses."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.synthetic.head import COLUMNS, FINE, Features, HeadShape, angles, grid_of, ring
from training.synthetic.person import Person


@dataclass(frozen=True)
class Surface:
    """A grid of points with a painted texture.

    grid: float32 [rows, columns, 3], mm. albedo: float32 [rows * FINE, columns * FINE]. keep: bool, the same shape:
    points that exist (None: all). gloss: share of mirror-like reflection. round: the columns go once around the head;
    inside: the far side can be seen from within.
    """

    grid: np.ndarray
    albedo: np.ndarray
    keep: np.ndarray | None = None
    gloss: float = 0.05
    round: bool = True
    inside: bool = False


def finer(grid: np.ndarray) -> np.ndarray:
    """A texture with one value per grid point, expanded to the drawn points."""
    return cv2.resize(grid.astype(np.float32), None, fx=FINE, fy=FINE, interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class Points:
    """Points without a surface (the frame of glasses): float32 [P, 3] mm, and their brightness."""

    at: np.ndarray
    value: float


def ears(person: Person, shape: HeadShape) -> list[Surface]:
    """Both ears: a dish with a raised rim, standing off the head."""
    if person.hair_kind == "long":
        return []
    radius, turn = np.meshgrid(np.linspace(0.02, 1, 14), np.linspace(0, 2 * np.pi, 30), indexing="ij")
    height = np.where(np.sin(turn) < 0, 31.0, 29.0) * person.ears
    breadth = np.where(np.sin(turn) < 0, 17.0, 17.0 - 5.5 * np.sin(turn)) * person.ears
    back, down = radius * breadth * np.cos(turn) + 9, radius * height * np.sin(turn)
    lift = 4.5 * np.exp(-(((radius - 0.84) / 0.14) ** 2)) - 3.5 * np.exp(-((radius / 0.45) ** 2)) + 2
    tilt = np.radians(28)
    column, row = np.searchsorted(angles(), np.radians(95)), np.searchsorted(shape.y[:, 0], 12)
    x = shape.x[row, column] - 4 + back * np.sin(tilt) + lift * np.cos(tilt)
    z = -3 - back * np.cos(tilt) + lift * np.sin(tilt)
    tone = np.clip(
        0.92 - 0.5 * np.exp(-((radius / 0.5) ** 2)) - 0.25 * np.exp(-(((radius - 0.68) / 0.07) ** 2)), 0.2, 1
    )
    albedo = finer(person.skin * tone)
    return [Surface(grid_of(side * x, down + 12, z), albedo, round=False) for side in (1, -1)]


def neck(person: Person) -> Surface:
    """The neck: a column from inside the head down into the garment."""
    y = np.linspace(55, 185, 50)
    half = 53 * person.width * (0.92 + 0.08 * person.jaw) + 10 * np.clip((y - 125) / 45, 0, 1) ** 2
    middle = -16 - 0.12 * (y - 60)
    x, z = ring(half, middle + half * 0.95, middle - half, middle)
    shade = 1 - 0.55 * np.exp(-np.maximum(y - 103, 0) / 22)
    albedo = np.repeat((person.skin * 0.92 * shade)[:, None], COLUMNS, axis=1)
    keep = finer(150 + 20 * np.cos(angles()) - y[:, None]) > 0
    return Surface(grid_of(x, y[:, None], z), finer(albedo), keep)


def lens_outline(person: Person, marks: Features, shape: HeadShape) -> np.ndarray:
    """float64 [48, 3]: the rim of the left lens, standing in front of the eye."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    power = 0.55 if person.texture_seed % 2 else 0.85
    x = marks.eye[0] + 2 + 24.5 * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power
    y = 3 + (16.5 + person.texture_seed % 5) * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** power
    front = shape.lift(np.array([[24.0, -person.brow_gap + 6], [0.0, 4.0]]))[:, 2].max() + 4
    return np.column_stack([x, y, front - 0.0045 * x**2])


def glasses_frame(person: Person, marks: Features, shape: HeadShape) -> Points | None:
    """The frame of the glasses as points: two rims, the bridge, the arms to the ears."""
    if person.glasses == "none":
        return None
    rim = lens_outline(person, marks, shape)
    thick = {"thin": 0.7, "thick": 2.0, "sun": 1.4}[person.glasses]
    inner, outer = rim[rim[:, 0].argmin()], rim[rim[:, 0].argmax()]
    inner_x, outer_x = inner[0], outer[0]
    bridge = np.column_stack([np.linspace(-inner_x, inner_x, 30), np.full(30, -1.0), np.full(30, inner[2] + 1)])
    along = np.linspace(0, 1, 120)[:, None]
    arm = np.array([outer_x, -2.0, outer[2]]) * (1 - along) + np.array([74 * person.width, 0.0, -12.0]) * along
    dense = cv2.resize(np.concatenate([rim, rim[:1]]).astype(np.float32), (3, 260))
    one = np.concatenate([dense, arm])
    line = np.concatenate([one, one * [-1, 1, 1], bridge])
    offsets = np.linspace(-thick, thick, max(2, int(thick * 3)))
    spread = [line + np.array([dx, dy, 0.0]) for dx in offsets for dy in offsets]
    return Points(np.concatenate(spread).astype(np.float32), 0.02 if person.texture_seed % 3 else 0.35)
