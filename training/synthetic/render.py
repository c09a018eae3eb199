"""Rendering: rotate, light and project points, keep the nearest at each pixel, and draw them over a background."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.synthetic.head import COLUMNS, FINE, angles
from training.synthetic.parts import Points, Surface
from training.synthetic.person import Scene

SIZE = 96
OVER = 1.5  # drawn pixels per pixel of the image and axis
SIDE = round(SIZE * OVER)
PIVOT = np.array([0.0, 35.0, -5.0])  # the head turns about this point, mm
_FAR = np.float32(1e5)  # mm: where nothing was drawn
_NEAR = 1 << 22  # range of the points' numbers below the depth in one 64-bit key


@dataclass(frozen=True)
class Camera:
    """Perspective camera on the z axis. rotation [3, 3] turns the head about PIVOT; scale is px per mm at the face."""

    rotation: np.ndarray
    distance: float
    scale: float
    centre: tuple[float, float] = ((SIZE - 1) / 2, (SIZE - 1) / 2)

    def turn(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 3] in head coordinates, turned into the camera's axes; the dtype stays."""
        turn, pivot = self.rotation.T.astype(points.dtype), PIVOT.astype(points.dtype)
        return points @ turn + (pivot - pivot @ turn)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y (px, centre of the first pixel at 0) and depth (mm from the camera) of turned points [..., 3]."""
        depth = self.distance - points[..., 2]
        factor = self.scale * (self.distance - 80) / depth
        return points[..., 0] * factor + self.centre[0], points[..., 1] * factor + self.centre[1], depth

    def see(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels [..., 2] and depth [...] of head points [..., 3]."""
        x, y, depth = self.project(self.turn(points))
        return np.stack([x, y], axis=-1), depth


def rotation(scene: Scene) -> np.ndarray:
    """[3, 3] of the head: yaw, then pitch, then roll, in the axes x right, y down, z towards the camera."""
    yaw, pitch, roll = np.radians([scene.yaw, scene.pitch, scene.roll])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


@dataclass(frozen=True)
class Light:
    """A distant light. direction: unit vector towards it."""

    direction: np.ndarray
    ambient: float

    def shade(self, normals: np.ndarray, gloss: float) -> tuple[np.ndarray, np.ndarray]:
        """How much light the surface returns: a factor for its colour, and a highlight added to it."""
        facing = normals @ self.direction.astype(np.float32)
        diffuse = np.clip((facing + 0.25) / 1.25, 0, 1)
        half = self.direction + np.array([0, 0, 1])
        glint = np.clip(normals @ (half / np.linalg.norm(half)).astype(np.float32), 0, 1) ** 14
        sky = 0.75 - 0.25 * normals[..., 1]
        return self.ambient * sky + (1.15 - self.ambient) * diffuse, gloss * glint * (1 - 0.5 * self.ambient)


def normals(points: np.ndarray) -> np.ndarray:
    """Unit normals [rows, columns, 3] of a grid of points, towards the camera on the whole."""
    down = np.moveaxis(cv2.Sobel(points, -1, 0, 1, ksize=3), -1, 0)
    along = np.moveaxis(cv2.Sobel(points, -1, 1, 0, ksize=3), -1, 0)
    n = np.empty_like(points)
    for k, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
        n[..., k] = along[i] * down[j] - along[j] * down[i]
    length = np.sqrt(np.einsum("rck,rck->rc", n, n)) + np.float32(1e-9)
    return n / np.where(n[..., 2].mean() < 0, -length, length)[..., None]


class Film:
    """Collects points and keeps the nearest at each pixel (a z-buffer)."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, ...]] = []

    def add(self, x: np.ndarray, y: np.ndarray, depth: np.ndarray, value: np.ndarray) -> None:
        """Points at image positions (x, y) with their depth and brightness, all float32 [P]."""
        side = SIDE
        column = np.rint(x * OVER + (OVER - 1) / 2).astype(np.int32)
        row = np.rint(y * OVER + (OVER - 1) / 2).astype(np.int32)
        inside = (column.view(np.uint32) < side) & (row.view(np.uint32) < side)
        self._parts.append(((row * side + column)[inside], depth[inside], value[inside]))

    def develop(self) -> tuple[np.ndarray, np.ndarray]:
        """Brightness and depth [side, side], float32; depth is infinite where nothing was drawn."""
        side = SIDE
        pixels, depths, values = (np.concatenate(arrays) for arrays in zip(*self._parts, strict=True))
        empty = np.iinfo(np.int64).max
        keys = (depths * 64).astype(np.int64) * _NEAR + np.arange(len(pixels))
        nearest = np.full(side * side, empty)
        np.minimum.at(nearest, pixels, keys)
        drawn = nearest != empty
        chosen = np.where(drawn, nearest % _NEAR, 0)
        depth = np.where(drawn, depths[chosen], np.float32(np.inf)).reshape(side, side)
        return _mend(values[chosen].reshape(side, side), depth)


def _mend(value: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Close pinholes, where points are further apart than pixels: far places in which no 2 x 2 square fits."""
    depth, square = np.minimum(depth, _FAR), np.ones((2, 2), np.uint8)
    opened = cv2.dilate(cv2.erode(depth, square, anchor=(1, 1)), square, anchor=(0, 0))
    hole = depth > opened + 6
    near = (~hole & (depth < opened + 6) & (depth < _FAR)).astype(np.float32)
    near *= depth < cv2.erode(depth, np.ones((3, 3), np.uint8)) + 25
    filled = cv2.blur(value * near, (3, 3)) / np.maximum(cv2.blur(near, (3, 3)), 1e-6)
    depth = np.where(hole, opened, depth)
    return np.where(hole, filled, value), np.where(depth >= _FAR, np.float32(np.inf), depth)


def draw_surface(film: Film, surface: Surface, camera: Camera, light: Light, *, turned: bool = True) -> None:
    """Add a surface to the film: only the visible columns, lit, with FINE x FINE points per grid cell."""
    grid, albedo, keep = surface.grid, surface.albedo, surface.keep
    if surface.round:
        columns = np.arange(COLUMNS) if surface.inside else _facing(camera if turned else None)
        many = (columns[:, None] * FINE + np.arange(FINE)).ravel()
        grid, albedo = grid[:, columns], albedo[:, many]
        keep = None if keep is None else keep[:, many]
    points = camera.turn(grid) if turned else grid
    x, y, depth = camera.project(points)
    shade, glint = light.shade(normals(points), surface.gloss)
    drawn = [cv2.resize(a, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_LINEAR) for a in (x, y, depth, shade, glint)]
    x, y, depth, shade, glint = (a.ravel() for a in drawn) if keep is None else (a[keep] for a in drawn)
    film.add(x, y, depth, (albedo.ravel() if keep is None else albedo[keep]) * shade + glint)


def _facing(camera: Camera | None) -> np.ndarray:
    """Numbers of the columns within 100 degrees of the camera's direction, in order around the head."""
    yaw = 0.0 if camera is None else float(np.arctan2(camera.rotation[0, 2], camera.rotation[2, 2]))
    first, last = np.searchsorted(
        np.concatenate([angles() + 2 * np.pi * k for k in (-1, 0, 1)]), [-yaw - 1.75, -yaw + 1.75]
    )
    return np.arange(first, last) % COLUMNS


def draw_points(film: Film, points: Points, camera: Camera) -> None:
    x, y, depth = camera.project(camera.turn(points.at))
    film.add(x, y, depth, np.full(len(depth), points.value, np.float32))
