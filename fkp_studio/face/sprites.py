"""Point marks, rendered once per kind and size and then copied: 68 points take well under a millisecond.

Label: filled disc. Prediction: ring. Accepted prediction: disc in prediction blue with a rim in label orange. Occluded:
hollow with a bar. Suspect: diamond. Kinds differ in shape, not only in colour. A thin dark rim keeps them visible on
any skin tone.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import Literal

import numpy as np
from PySide6.QtCore import QLineF, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from fkp_studio.look.style import theme

Mark = Literal["label", "accepted", "predicted", "occluded", "suspect", "current"]

SHADE, INK = "#D70C0D0F", "#F1F2F4"
STEPS = 4  # sub-pixel positions per device pixel


def draw_marks(painter: QPainter, kind: Mark, spots: np.ndarray, radius: float) -> None:
    """Draw a mark at each of `spots` [N, 2], to an eighth of a screen pixel. The painter may only be translated."""
    ratio = painter.device().devicePixelRatioF()
    half = _half(radius, ratio)
    for x, y in np.rint(spots * (ratio * STEPS)).astype(int).tolist():
        (left, right), (top, down) = divmod(x, STEPS), divmod(y, STEPS)
        at = QPointF((left - half) / ratio, (top - half) / ratio)
        painter.drawImage(at, _sprite(kind, radius, ratio, right, down))


def _half(radius: float, ratio: float) -> int:
    """Half the side of a sprite in device pixels; the halo of the current point is the largest mark."""
    return ceil((max(radius * 1.5, radius + 6.5) + 1) * ratio)


@lru_cache(maxsize=1024)
def _sprite(kind: Mark, radius: float, ratio: float, right: int, down: int) -> QImage:
    """A mark in the middle of a transparent image, shifted by right/STEPS and down/STEPS device pixels."""
    half = _half(radius, ratio)
    image = QImage(2 * half + 1, 2 * half + 1, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    image.setDevicePixelRatio(ratio)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _draw(painter, kind, QPointF((half + right / STEPS) / ratio, (half + down / STEPS) / ratio), radius)
    painter.end()
    return image


def _draw(painter: QPainter, kind: Mark, at: QPointF, radius: float) -> None:
    shade, label, prediction = QColor(SHADE), QColor(theme.LABEL), QColor(theme.PREDICTION)
    if kind == "label":
        _circle(painter, at, radius, pen=QPen(shade, 1), fill=label)
    elif kind == "accepted":
        _circle(painter, at, radius + 1, pen=QPen(shade, 1), fill=label)
        _circle(painter, at, radius + 0.5 - max(1.5, radius * 0.42), fill=prediction)
    elif kind == "suspect":
        r = radius * 1.35
        painter.setPen(QPen(shade, 1))
        painter.setBrush(QColor(theme.SUSPECT))
        painter.drawPolygon([at + QPointF(0, -r), at + QPointF(r, 0), at + QPointF(0, r), at + QPointF(-r, 0)])
    elif kind == "current":
        _hollow(painter, at, radius + 4.5, colour=QColor(INK), width=1.6, bar=False)
    else:
        colour, width = (label if kind == "occluded" else prediction), max(1.6, radius * 0.38)
        _hollow(painter, at, radius, colour=colour, width=width, bar=kind == "occluded")


def _circle(
    painter: QPainter, at: QPointF, radius: float, *, pen: QPen | None = None, fill: QColor | None = None
) -> None:
    painter.setPen(pen or Qt.PenStyle.NoPen)
    painter.setBrush(fill or Qt.BrushStyle.NoBrush)
    painter.drawEllipse(at, radius, radius)


def _hollow(painter: QPainter, at: QPointF, radius: float, *, colour: QColor, width: float, bar: bool) -> None:
    for pen in (QPen(QColor(SHADE), width + 1.7), QPen(colour, width)):
        _circle(painter, at, radius, pen=pen)
        if bar:
            painter.drawLine(QLineF(at.x() - radius, at.y(), at.x() + radius, at.y()))
