"""A cheap plot item for many small dots; pyqtgraph's scatter plot takes several milliseconds per redraw."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPolygonF
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget


class DotsItem(pg.GraphicsObject):
    """Round dots of one colour and size (px) in plot coordinates; the caller applies log10 on logarithmic axes."""

    def __init__(self, colour: QColor, *, size: float) -> None:
        super().__init__()
        self.places = np.empty((0, 2))
        self._polygon = QPolygonF()
        self._rect = QRectF()
        self._pen = pg.mkPen(colour, width=size)
        self._pen.setCapStyle(Qt.PenCapStyle.RoundCap)

    def set_places(self, places: np.ndarray) -> None:
        """Show dots at these places, float64 [N, 2]; non-finite ones are skipped."""
        self.places = places[np.isfinite(places).all(axis=1)]
        self.prepareGeometryChange()
        self._polygon = QPolygonF([QPointF(x, y) for x, y in self.places.tolist()])
        self._rect = self._polygon.boundingRect()
        self.update()

    def boundingRect(self) -> QRectF:
        return self._rect

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self._pen)
        painter.drawPoints(self._polygon)
