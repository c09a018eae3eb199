"""Draws a face's points: what each mark looks like, in screen pixels. Used by the canvas and by the contact sheet.

Label: filled disc. Prediction: ring. Accepted prediction: disc in prediction blue with a rim in label orange. Occluded:
hollow with a bar. Suspect: diamond. Never colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from fkp_studio import theme
from fkp_studio.canvas.face import Face
from fkp_studio.canvas.tone import Tone
from training.data.keypoint_data import Origin, PointState
from training.data.schema import KeypointSchema

SIZES = (4.0, 24.0)  # diameters a point may have on the screen
_SHADE = QColor(12, 13, 15, 215)  # thin dark rim: marks stand out on light and on dark skin
_LABEL, _PREDICTION, _SUSPECT = QColor(theme.LABEL), QColor(theme.PREDICTION), QColor(theme.SUSPECT)
_PAPER, _INK = QColor(24, 25, 28, 225), QColor("#F1F2F4")


@dataclass(frozen=True)
class Display:
    """What the canvas shows besides the picture, and how. point_size: diameter on the screen in pixels."""

    edges: bool = True
    predictions: bool = True
    names: bool = False
    point_size: float = 9.0
    tone: Tone = field(default_factory=Tone)


@dataclass(frozen=True)
class ToScreen:
    """Picture pixels to screen pixels: `scale` screen pixels a picture pixel, `offset` where the origin lies."""

    scale: float
    offset: tuple[float, float]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """points [..., 2] on the screen."""
        return np.asarray(points * self.scale + np.array(self.offset))

    def back(self, x: float, y: float) -> tuple[float, float]:
        """A place on the screen in picture pixels."""
        return (x - self.offset[0]) / self.scale, (y - self.offset[1]) / self.scale


def paint_face(
    painter: QPainter, face: Face, *, schema: KeypointSchema, place: ToScreen, display: Display, current: int = -1
) -> None:
    """All marks of one face, in the painter's (screen) coordinates."""
    labels, predicted = place(face.points), place(face.predicted)
    if not display.predictions:
        predicted = np.full_like(predicted, np.nan)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if display.edges:
        _edges(painter, schema, labels, predicted)
    _links(painter, labels, predicted)
    radius = display.point_size / 2
    has_label, has_prediction = np.isfinite(labels[:, 0]), np.isfinite(predicted[:, 0])
    for k in np.flatnonzero(has_prediction).tolist():
        ring(painter, QPointF(*predicted[k].tolist()), radius * (1.0 if not has_label[k] else 0.8))
    for k in np.flatnonzero(has_label).tolist():
        _label(painter, face, k, QPointF(*labels[k].tolist()), radius)
    if current >= 0 and (has_label[current] or has_prediction[current]):
        spot = labels[current] if has_label[current] else predicted[current]
        _halo(painter, QPointF(*spot.tolist()), radius)
    if display.names:
        spots = np.where(has_label[:, None], labels, predicted)
        _names(painter, schema.titles, spots, radius + 3)


def disc(painter: QPainter, at: QPointF, radius: float, *, accepted: bool = False) -> None:
    """A label; with `accepted`, one that came from a model."""
    if accepted:
        rim = max(1.5, radius * 0.42)
        _ellipse(painter, at, radius + 1, QPen(_SHADE, 1), _LABEL)
        _ellipse(painter, at, radius + 0.5 - rim, Qt.PenStyle.NoPen, _PREDICTION)
    else:
        _ellipse(painter, at, radius, QPen(_SHADE, 1), _LABEL)


def ring(painter: QPainter, at: QPointF, radius: float) -> None:
    """A prediction."""
    width = max(1.6, radius * 0.38)
    _ellipse(painter, at, radius, QPen(_SHADE, width + 1.6), Qt.BrushStyle.NoBrush)
    _ellipse(painter, at, radius, QPen(_PREDICTION, width), Qt.BrushStyle.NoBrush)


def barred(painter: QPainter, at: QPointF, radius: float) -> None:
    """An occluded point: hollow, with a bar."""
    width = max(1.6, radius * 0.38)
    bar = QLineF(at.x() - radius, at.y(), at.x() + radius, at.y())
    for pen in (QPen(_SHADE, width + 1.6), QPen(_LABEL, width)):
        _ellipse(painter, at, radius, pen, Qt.BrushStyle.NoBrush)
        painter.drawLine(bar)


def diamond(painter: QPainter, at: QPointF, radius: float) -> None:
    """A point that looks wrong."""
    r = radius * 1.35
    painter.setPen(QPen(_SHADE, 1))
    painter.setBrush(_SUSPECT)
    painter.drawPolygon(QPolygonF([at + QPointF(0, -r), at + QPointF(r, 0), at + QPointF(0, r), at + QPointF(-r, 0)]))


def caption(painter: QPainter, text: str, at: QPointF, *, gap: float, pixels: int = 12) -> None:
    """A small name tag right of a place, or left of it where the window ends."""
    painter.setFont(theme.font(pixels=pixels))
    _tag(painter, text, _boxes(painter, text, at, gap)[0])


def _names(painter: QPainter, titles: tuple[str, ...], spots: np.ndarray, gap: float) -> None:
    """A tag for each of `spots` [K, 2] that is one, where it covers no other tag if possible."""
    painter.setFont(theme.font(pixels=11))
    taken: list[QRectF] = []
    for k in np.flatnonzero(np.isfinite(spots[:, 0])).tolist():
        boxes = _boxes(painter, titles[k], QPointF(*spots[k].tolist()), gap)
        box = next((b for b in boxes if not any(b.intersects(other) for other in taken)), boxes[0])
        taken.append(box)
        _tag(painter, titles[k], box)


def _boxes(painter: QPainter, text: str, at: QPointF, gap: float) -> list[QRectF]:
    """Where a tag may go, best first: right, left, below, above; all within the window."""
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


def _label(painter: QPainter, face: Face, k: int, at: QPointF, radius: float) -> None:
    if face.suspect[k]:
        diamond(painter, at, radius)
    elif face.states[k] == PointState.OCCLUDED:
        barred(painter, at, radius)
    else:
        disc(painter, at, radius, accepted=face.labels.origins[0, k] == Origin.MODEL)


def _halo(painter: QPainter, at: QPointF, radius: float) -> None:
    r = radius + 4.5
    _ellipse(painter, at, r, QPen(_SHADE, 3.6), Qt.BrushStyle.NoBrush)
    _ellipse(painter, at, r, QPen(_INK, 1.6), Qt.BrushStyle.NoBrush)


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
    """Thin lines from each label to its prediction."""
    pairs = np.concatenate([labels, predicted], axis=1)
    lines = [QLineF(*row) for row in pairs[np.isfinite(pairs).all(axis=1)].tolist()]
    for pen in (QPen(QColor(12, 13, 15, 130), 2.4), QPen(_INK, 1)):
        painter.setPen(pen)
        painter.drawLines(lines)


def _ellipse(
    painter: QPainter, at: QPointF, radius: float, pen: QPen | Qt.PenStyle, brush: QColor | Qt.BrushStyle
) -> None:
    painter.setPen(pen)
    painter.setBrush(QBrush(brush))
    painter.drawEllipse(at, radius, radius)
