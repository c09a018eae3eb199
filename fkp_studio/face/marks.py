"""Draws a face's points, lines and names in screen pixels, for the canvas and the contact sheet."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from fkp_studio.face.face import Face
from fkp_studio.face.sprites import draw_marks
from fkp_studio.face.tone import Tone
from fkp_studio.look.style import theme
from training.faces.labels.labels import Origin, PointState
from training.faces.labels.schema import KeypointSchema

SIZES = (4.0, 24.0)  # screen pixels, least and largest diameter of a point
_LABEL, _PREDICTION = QColor(theme.LABEL), QColor(theme.PREDICTION)
_PAPER, _INK = QColor(24, 25, 28, 225), QColor("#F1F2F4")


@dataclass(frozen=True)
class Display:
    """What the canvas shows over the image, and how. point_size: diameter in screen pixels. ellipses: where missing
    points may lie, on the canvas only."""

    edges: bool = True
    predictions: bool = True
    names: bool = False
    ellipses: bool = True
    point_size: float = 9.0
    tone: Tone = field(default_factory=Tone)


@dataclass(frozen=True)
class ToScreen:
    """Maps image pixels to screen pixels: `scale` screen pixels per image pixel, `offset` of the origin."""

    scale: float
    offset: tuple[float, float]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Convert points [..., 2] to screen pixels."""
        return np.asarray(points * self.scale + np.array(self.offset))

    def back(self, x: float, y: float) -> tuple[float, float]:
        """Convert a screen position to image pixels."""
        return (x - self.offset[0]) / self.scale, (y - self.offset[1]) / self.scale


def paint_face(
    painter: QPainter, face: Face, *, schema: KeypointSchema, place: ToScreen, display: Display, current: int = -1
) -> None:
    """Paint all marks of one face in the painter's (screen) coordinates."""
    labels, predicted = place(face.points), place(face.predicted)
    if not display.predictions:
        predicted = np.full_like(predicted, np.nan)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if display.edges:
        _edges(painter, schema, labels, predicted)
    _links(painter, labels, predicted)
    radius = display.point_size / 2
    has_label, has_prediction = np.isfinite(labels[:, 0]), np.isfinite(predicted[:, 0])
    draw_marks(painter, "predicted", predicted[has_prediction & has_label], 0.8 * radius)
    draw_marks(painter, "predicted", predicted[has_prediction & ~has_label], radius)
    _labels(painter, face, labels, has_label, radius)
    if current >= 0 and (has_label[current] or has_prediction[current]):
        spot = labels if has_label[current] else predicted
        draw_marks(painter, "current", spot[current : current + 1], radius)
    if display.names:
        spots = np.where(has_label[:, None], labels, predicted)
        _names(painter, schema.titles, spots, radius + 3)


def caption(painter: QPainter, text: str, at: QPointF, *, gap: float, pixels: int = 12) -> None:
    """Paint a small name tag to the right of a position, or to its left near the window's edge."""
    painter.setFont(theme.font(pixels=pixels))
    _tag(painter, text, _boxes(painter, text, at, gap)[0])


def _names(painter: QPainter, titles: tuple[str, ...], spots: np.ndarray, gap: float) -> None:
    """Paint a tag for each finite one of `spots` [K, 2], without overlaps if possible."""
    painter.setFont(theme.font(pixels=11))
    taken: list[QRectF] = []
    for k in np.flatnonzero(np.isfinite(spots[:, 0])).tolist():
        boxes = _boxes(painter, titles[k], QPointF(*spots[k].tolist()), gap)
        box = next((b for b in boxes if not any(b.intersects(other) for other in taken)), boxes[0])
        taken.append(box)
        _tag(painter, titles[k], box)


def _boxes(painter: QPainter, text: str, at: QPointF, gap: float) -> list[QRectF]:
    """Candidate rectangles of a tag inside the window, best first: right, left, below, above."""
    size = QFontMetricsF(painter.font()).size(0, text)
    width, height = size.width() + 10, size.height() + 2
    window = QRectF(painter.viewport())
    middle = at.y() - height / 2
    beside = [(at.x() + gap, middle), (at.x() - gap - width, middle)]
    corners = [*beside, (at.x() - width / 2, at.y() + gap), (at.x() - width / 2, at.y() - gap - height)]
    boxes = [QRectF(x, y, width, height) for x, y in corners]
    fitting = [box for box in boxes if window.contains(box)]
    return fitting or boxes[:1]


def _tag(painter: QPainter, text: str, box: QRectF) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_PAPER)
    painter.drawRoundedRect(box, 3, 3)
    painter.setPen(_INK)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def _labels(painter: QPainter, face: Face, places: np.ndarray, present: np.ndarray, radius: float) -> None:
    occluded = face.states == PointState.OCCLUDED
    accepted = face.labels.origins[0] == Origin.MODEL
    plain = present & ~face.suspect
    draw_marks(painter, "label", places[plain & ~occluded & ~accepted], radius)
    draw_marks(painter, "accepted", places[plain & ~occluded & accepted], radius)
    draw_marks(painter, "occluded", places[plain & occluded], radius)
    draw_marks(painter, "suspect", places[present & face.suspect], radius)


def _edges(painter: QPainter, schema: KeypointSchema, labels: np.ndarray, predicted: np.ndarray) -> None:
    for points, colour in ((predicted, _PREDICTION), (labels, _LABEL)):
        faint = QColor(colour)
        faint.setAlpha(105)
        painter.setPen(QPen(faint, 1))
        painter.drawLines(_lines(points, schema.edges))


def _lines(points: np.ndarray, edges: tuple[tuple[int, int], ...]) -> list[QLineF]:
    if not edges:
        return []
    pairs = points[np.array(edges)].reshape(-1, 4)
    return [QLineF(*row) for row in pairs[np.isfinite(pairs).all(axis=1)].tolist()]


def _links(painter: QPainter, labels: np.ndarray, predicted: np.ndarray) -> None:
    """Paint a thin line from each label to its prediction."""
    pairs = np.concatenate([labels, predicted], axis=1)
    lines = [QLineF(*row) for row in pairs[np.isfinite(pairs).all(axis=1)].tolist()]
    for pen in (QPen(QColor(12, 13, 15, 130), 2.4), QPen(_INK, 1)):
        painter.setPen(pen)
        painter.drawLines(lines)
