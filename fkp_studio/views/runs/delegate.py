"""The view of the list of runs, and its delegate: checkbox in the run's colour, recipe, errors and status line."""

from __future__ import annotations

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from fkp_studio.look.style import theme
from fkp_studio.look.style.interface_colours import Colours
from fkp_studio.views.runs.model import Row, RowRole

HEIGHT, PAD, TICK = 44, 8, 14
NUMBER_WIDTH = 58
Index = QModelIndex | QPersistentModelIndex


class RunsDelegate(QStyledItemDelegate):
    """Draws two lines per run, with the checkbox that shows it in the plots."""

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(160, HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: Row = index.data(RowRole)
        rect: QRect = option.rect  # type: ignore[attr-defined]  # PySide's stubs lack the option's fields
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]  # PySide's stubs lack the option's fields
        c = theme.colours()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(c.selection))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(c.hover))
        if row.curves:
            _paint_tick(painter, tick_rect(rect), row, rim=c.edge)
        left, right = rect.left() + 2 * PAD + TICK, rect.right() - PAD
        first = QRect(left, rect.top() + 4, right - left, 20)
        second = QRect(left, rect.top() + 23, right - left, 16)
        _paint_first(painter, first, row, c)
        _paint_second(painter, second, row, c)
        painter.restore()


class RunsView(QListView):
    """The list. Clicking a checkbox, or Space, shows or hides a run in the plots; clicking elsewhere chooses it."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        left = event.button() == Qt.MouseButton.LeftButton
        if left and index.isValid() and in_tick(self.visualRect(index), event.position()):
            self.toggle(index)
        elif event.button() != Qt.MouseButton.RightButton:  # opening the menu does not choose the run
            super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and self.currentIndex().isValid():
            self.toggle(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def toggle(self, index: QModelIndex) -> None:
        """Show or hide the run in the plots."""
        row: Row = index.data(RowRole)
        state = Qt.CheckState.Unchecked if row.shown else Qt.CheckState.Checked
        self.model().setData(index, state, Qt.ItemDataRole.CheckStateRole)


def tick_rect(row: QRect) -> QRect:
    """The rectangle of the checkbox in a row."""
    return QRect(row.left() + PAD, row.top() + (HEIGHT - TICK) // 2 - 6, TICK, TICK)


def in_tick(row: QRect, position: QPointF) -> bool:
    """Whether a position in the view is on or near the row's checkbox."""
    return position.x() <= row.left() + 2 * PAD + TICK - 2


def _paint_tick(painter: QPainter, rect: QRect, row: Row, *, rim: str) -> None:
    colour = QColor(row.colour)
    painter.setPen(QPen(colour if row.shown else QColor(rim), 1.2))
    painter.setBrush(colour if row.shown else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(rect), 3, 3)
    if row.shown:
        dark = colour.lightnessF() > 0.45
        painter.setPen(QPen(QColor("#1E1F22" if dark else "#FFFFFF"), 1.8))
        x, y = rect.left(), rect.top()
        painter.drawPolyline([QPointF(x + 3.5, y + 7.5), QPointF(x + 6, y + 10), QPointF(x + 10.5, y + 4.5)])


def _paint_first(painter: QPainter, rect: QRect, row: Row, c: Colours) -> None:
    middle = Qt.AlignmentFlag.AlignVCenter
    nme, rmse = QRect(rect), QRect(rect)
    nme.setLeft(rect.right() - NUMBER_WIDTH + 10)
    rmse.setRight(nme.left() - 4)
    rmse.setLeft(rmse.right() - NUMBER_WIDTH)
    painter.setFont(theme.font(pixels=13, tabular=True, bold=row.leading))
    painter.setPen(QColor(c.text))
    painter.drawText(rmse, Qt.AlignmentFlag.AlignRight | middle, row.rmse)
    painter.setFont(theme.table_font())
    painter.setPen(QColor(c.dim))
    painter.drawText(nme, Qt.AlignmentFlag.AlignRight | middle, row.nme)
    title = QRect(rect)
    if row.rmse or row.nme:
        title.setRight(rmse.left() - 4)
    painter.setPen(QColor(c.text))
    _draw_elided(painter, title, row.title, theme.font())


def _paint_second(painter: QPainter, rect: QRect, row: Row, c: Colours) -> None:
    small = theme.font(pixels=11, tabular=True)
    if row.stale:
        width = QFontMetrics(small).horizontalAdvance("△ stale")
        painter.setFont(small)
        painter.setPen(QColor(c.danger))
        painter.drawText(rect, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, "△ stale")
        rect = rect.adjusted(0, 0, -width - 8, 0)
    bad = row.status in ("failed", "interrupted")
    painter.setPen(QColor(c.danger if bad else c.link if row.status in ("running", "starting") else c.dim))
    _draw_elided(painter, rect, row.line, small)


def _draw_elided(painter: QPainter, rect: QRect, text: str, font: QFont) -> None:
    painter.setFont(font)
    short = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, short)
