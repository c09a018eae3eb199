"""The small template face that shows where the next point goes."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from fkp_studio.look.style import theme
from training.faces.labels.schema import KeypointSchema

SIDE = 72
EDGE_WIDTH = 1.0
SPARSE = 30


class TemplateWidget(QWidget):
    """The schema's frontal face: keypoints as dots, labelled ones in label orange, the next one large."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._schema: KeypointSchema | None = None
        self._done = np.zeros(0, bool)
        self._next = -1
        self.setFixedSize(self.sizeHint())
        self.setAccessibleName("Position of the next point on a face")
        self.setToolTip("As the camera sees it: the person's left is on the right")

    def sizeHint(self) -> QSize:
        return QSize(SIDE, SIDE)

    def show_point(self, schema: KeypointSchema | None, *, done: np.ndarray, following: int) -> None:
        """Show the template. done: bool [K]. following: the keypoint to mark, -1 for none."""
        self._schema, self._done, self._next = schema, done, following
        self.setAccessibleDescription(schema.titles[following] if schema is not None and following >= 0 else "")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt gives it
        schema = self._schema
        if schema is None or len(schema.template) != len(schema):
            return
        colours = theme.colours()
        spots = _fitted(np.array(schema.template), self.width())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(colours.edge), EDGE_WIDTH))
        if len(schema) <= SPARSE:  # too few points to look like a face
            painter.drawEllipse(_head(spots))
        painter.drawLines([QLineF(*spots[a].tolist(), *spots[b].tolist()) for a, b in schema.edges])
        radius = 1.9 if len(schema) <= SPARSE else 1.2
        painter.setPen(Qt.PenStyle.NoPen)
        for k, (x, y) in enumerate(spots.tolist()):
            painter.setBrush(QColor(theme.LABEL if self._done[k] else colours.edge))
            painter.drawEllipse(QPointF(x, y), radius, radius)
        if self._next >= 0:
            painter.setPen(QPen(QColor(colours.text), 1.5))
            painter.setBrush(QColor(theme.LABEL))
            painter.drawEllipse(QPointF(*spots[self._next].tolist()), 3.5, 3.5)


def _fitted(points: np.ndarray, side: int) -> np.ndarray:
    """Template points [K, 2] scaled into a square of `side`, with room for the head around sparse ones."""
    head = _head(points) if len(points) <= SPARSE else None
    low, high = (np.array(head.getCoords()).reshape(2, 2)) if head else (points.min(axis=0), points.max(axis=0))
    scale = (side - (2 if head else 12)) / max(float((high - low).max()), 1e-6)
    return np.asarray((points - (low + high) / 2) * scale + side / 2)


def _head(points: np.ndarray) -> QRectF:
    """An oval around all points, with room above the brows and below the mouth."""
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    width = 1.2 * (high[0] - low[0])
    height = 1.32 * width
    return QRectF((low[0] + high[0] - width) / 2, high[1] + 0.18 * width - height, width, height)
