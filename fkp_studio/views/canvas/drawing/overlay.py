"""Paints the canvas overlays: error ellipses, the dragged point with its magnifier, the hover tag, the focus line."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from fkp_studio.face.face import Face
from fkp_studio.face.marks import Display, ToScreen, caption
from fkp_studio.face.sprites import draw_marks
from fkp_studio.face.words import hover_text
from fkp_studio.look.style import theme
from fkp_studio.views.canvas.drawing.image_item import ImageItem
from fkp_studio.views.canvas.drawing.loupe import paint_loupe

_RING = QColor(theme.PREDICTION)
_RING.setAlpha(200)
REACH = 5.991  # the 95 % quantile of chi-squared with two degrees of freedom


def paint_ellipses(painter: QPainter, face: Face, *, place: ToScreen, display: Display) -> None:
    """Paint a thin 95 % ellipse around each predicted point without a label."""
    if not (display.ellipses and display.predictions) or face.given is None:
        return
    which = np.isfinite(face.doubts)
    variances, axes = np.linalg.eigh(face.given.covariances[which])
    radii = place.scale * np.sqrt(REACH * np.maximum(variances, 0))
    angles = np.degrees(np.arctan2(axes[:, 1, 0], axes[:, 0, 0]))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(_RING, 1.2))
    for (x, y), (a, b), angle in zip(
        place(face.predicted[which]).tolist(), radii.tolist(), angles.tolist(), strict=True
    ):
        painter.save()
        painter.translate(x, y)
        painter.rotate(angle)
        painter.drawEllipse(QPointF(0, 0), a, b)
        painter.restore()


def paint_drag(
    painter: QPainter, item: ImageItem, *, place: ToScreen, at: tuple[float, float], radius: float, limits: QRectF
) -> None:
    """Paint the point at `at` (image pixels) above all others, and the magnifier within `limits`, the window."""
    cursor = QPointF(*place(np.array(at)).tolist())
    draw_marks(painter, "label", place(np.array([at])), radius)
    image = item.scaled(place.scale)
    if image is not None and item.image is not None:
        width = item.image.width
        paint_loupe(painter, image, width=width, at=at, cursor=cursor, scale=place.scale, limits=limits)


def paint_hover(
    painter: QPainter, face: Face, keypoint: int, *, title: str, ring: bool, place: ToScreen, radius: float
) -> None:
    """Paint a tag beside a label, or beside a prediction (`ring`)."""
    x, y = place(face.predicted[keypoint] if ring else face.points[keypoint]).tolist()
    if np.isfinite(x):
        caption(painter, hover_text(face, keypoint, title, ring=ring), QPointF(x, y), gap=radius + 8)


def paint_focus(painter: QPainter, window: QRect) -> None:
    """Paint the line that marks the keyboard focus."""
    painter.setPen(QPen(QColor(theme.colours().link), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(window.adjusted(0, 0, -1, -1))
