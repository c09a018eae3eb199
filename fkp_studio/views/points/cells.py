"""Paints the cells of the points table."""

from __future__ import annotations

from typing import cast, get_args

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPalette, QPen

from fkp_studio.face.sprites import Mark, draw_marks
from fkp_studio.look.style import theme
from fkp_studio.views.points.model import Cell, Column, alignment

RADIUS = 4.5
INSET = 3  # px between a cell's edge and its text
_FIRST, _NAME = int(Column.STATE), int(Column.NAME)
_ALIGNMENTS = {int(column): int(alignment(column)) for column in Column}


class CellPainter:
    """Paints a point's symbol (as on the canvas), name and numbers. painter: with the table's font."""

    def __init__(self, painter: QPainter, palette: QPalette) -> None:
        self._painter, self._metrics = painter, QFontMetrics(painter.font())
        self._colours = (palette.color(QPalette.ColorRole.Text), palette.color(QPalette.ColorRole.PlaceholderText))

    def select(self, rect: QRect) -> None:
        """Paint the background of the current row."""
        self._painter.fillRect(rect, QColor(theme.colours().selection))

    def paint(self, rect: QRect, column: int, cell: Cell) -> None:
        """Paint one cell."""
        text, dim = cell
        if column == _FIRST:
            paint_mark(self._painter, text, QPointF(QRectF(rect).center()))
        elif text:
            inner = rect.adjusted(INSET, 0, -INSET, 0)
            if column == _NAME:
                elide = Qt.TextElideMode.ElideMiddle if text[-1].isdigit() else Qt.TextElideMode.ElideRight
                text = self._metrics.elidedText(text, elide, inner.width())
            self._painter.setPen(self._colours[dim])
            self._painter.drawText(inner, _ALIGNMENTS[column], text)


def paint_mark(painter: QPainter, kind: str, at: QPointF) -> None:
    """Paint the symbol of one point, centred at `at`."""
    if kind in get_args(Mark):
        draw_marks(painter, cast(Mark, kind), np.array([[at.x(), at.y()]]), RADIUS)
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(theme.colours().dim), 1.5))
    _dash(painter, at, cross=kind == "absent")
    painter.restore()


def _dash(painter: QPainter, at: QPointF, *, cross: bool) -> None:
    r = RADIUS - 1
    if cross:
        painter.drawLine(at + QPointF(-r, -r), at + QPointF(r, r))
        painter.drawLine(at + QPointF(-r, r), at + QPointF(r, -r))
    else:
        painter.drawLine(at + QPointF(-r, 0), at + QPointF(r, 0))
