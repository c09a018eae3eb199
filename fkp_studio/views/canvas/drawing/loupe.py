"""The magnifier for placing a point with sub-pixel precision while it is dragged."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from fkp_studio.look.style import theme

SIDE = 132.0  # screen pixels, of the magnifier
GAP = 28.0  # screen pixels between the cursor and the magnifier
_SHADE, _LINE = QColor(12, 13, 15, 200), QColor("#F1F2F4")


def box_for(cursor: QPointF, limits: QRectF) -> QRectF:
    """The magnifier's rectangle: above and right of the cursor, on the other side near the window's edge."""
    box = QRectF(cursor.x() + GAP, cursor.y() - GAP - SIDE, SIDE, SIDE)
    if box.right() > limits.right():
        box.moveRight(cursor.x() - GAP)
    if box.top() < limits.top():
        box.moveTop(cursor.y() + GAP)
    return box


def paint_loupe(
    painter: QPainter,
    image: QImage,
    *,
    width: int,
    at: tuple[float, float],
    cursor: QPointF,
    scale: float,
    limits: QRectF,
) -> None:
    """Magnify the image around `at` (image pixels of an image `width` wide) near the cursor. limits: the window."""
    zoom = max(3 * scale, 8.0)  # screen pixels per image pixel
    level = image.width() / width  # pixels of this level per image pixel
    box = box_for(cursor, limits)
    seen = SIDE / zoom
    source = QRectF((at[0] + 0.5 - seen / 2) * level, (at[1] + 0.5 - seen / 2) * level, seen * level, seen * level)
    painter.save()
    painter.setClipRect(box)
    painter.fillRect(box, QColor("#000000"))
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
    painter.drawImage(box, image, source)
    middle = box.center()
    arms = [
        QLineF(box.left(), middle.y(), middle.x() - 5, middle.y()),
        QLineF(middle.x() + 5, middle.y(), box.right(), middle.y()),
        QLineF(middle.x(), box.top(), middle.x(), middle.y() - 5),
        QLineF(middle.x(), middle.y() + 5, middle.x(), box.bottom()),
    ]
    for pen in (QPen(_SHADE, 3), QPen(_LINE, 1)):
        painter.setPen(pen)
        painter.drawLines(arms)
    painter.setPen(QPen(_SHADE, 4))
    painter.drawPoint(middle)
    painter.setPen(QPen(QColor(theme.LABEL), 2.5))
    painter.drawPoint(middle)
    _numbers(painter, box, at)
    painter.restore()
    painter.setPen(QPen(_SHADE, 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(box)


def _numbers(painter: QPainter, box: QRectF, at: tuple[float, float]) -> None:
    strip = QRectF(box.left(), box.bottom() - 20, box.width(), 20)
    painter.fillRect(strip, _SHADE)
    painter.setFont(theme.font(pixels=11, tabular=True))
    painter.setPen(_LINE)
    painter.drawText(strip, Qt.AlignmentFlag.AlignCenter, f"x {at[0]:.2f}   y {at[1]:.2f}")
