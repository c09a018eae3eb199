"""Paints the cells of the points table. Each key press repaints all of them, so a cell asks the model for one thing only."""

from __future__ import annotations

from typing import cast, get_args

import numpy as np
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPalette, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from fkp_studio import theme
from fkp_studio.canvas.sprites import Mark, draw_marks
from fkp_studio.panels.points_model import CellRole, Column, MarkRole, alignment

RADIUS = 4.5
INSET = 3  # px between a cell's edge and its text
_SELECTED = QStyle.StateFlag.State_Selected
_FIRST, _NAME = int(Column.STATE), int(Column.NAME)
_ALIGNMENTS = {int(column): int(alignment(column)) for column in Column}


class PointDelegate(QStyledItemDelegate):
    """The symbol of a point as on the canvas, its name, its figures."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        rect, column = option.rect, index.column()  # type: ignore[attr-defined]  # PySide's stubs lack the option's fields
        if option.state & _SELECTED:  # type: ignore[attr-defined]  # PySide's stubs lack the option's fields
            painter.fillRect(rect, QColor(theme.colours().selection))
        if column == _FIRST:
            paint_mark(painter, str(index.data(MarkRole)), QPointF(QRectF(rect).center()))
            return
        text, dim = index.data(CellRole) or ("", False)
        if text:
            inner = rect.adjusted(INSET, 0, -INSET, 0)
            if column == _NAME:
                elide = Qt.TextElideMode.ElideMiddle if text[-1].isdigit() else Qt.TextElideMode.ElideRight
                text = QFontMetrics(painter.font()).elidedText(text, elide, inner.width())
            role = QPalette.ColorRole.PlaceholderText if dim else QPalette.ColorRole.Text
            painter.setPen(option.palette.color(role))  # type: ignore[attr-defined]  # PySide's stubs lack the option's fields
            painter.drawText(inner, _ALIGNMENTS[column], text)


def paint_mark(painter: QPainter, kind: str, at: QPointF) -> None:
    """The symbol of one point in the middle of its cell."""
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
