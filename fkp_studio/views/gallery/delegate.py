"""Paints the gallery's cells: thumbnail, labelling progress, marks and the current face."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from fkp_studio.look.style import theme
from fkp_studio.look.style.colour_scale import cividis, text_on

if TYPE_CHECKING:
    import numpy as np

    from fkp_studio.views.gallery.grid import GridModel
    from fkp_studio.views.gallery.thumbnails import Thumbnails
    from training.storage.project.tables.packed_columns import SampleIndex

MARGIN = 3  # px around a thumbnail
BAR = 3  # px, height of the labelling progress bar


class ThumbnailDelegate(QStyledItemDelegate):
    """Paints from the cache only: nothing is read or decoded while painting."""

    def __init__(self, grid: GridModel, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._grid, self._thumbnails = grid, thumbnails
        self.index: SampleIndex | None = None
        self.keypoints = 1
        self.left: set[int] = set()  # faces that no longer match the filter
        self.confidences: np.ndarray | None = None  # [N], mean per face: shown while faces are sorted by it
        self.side = 96
        self.set_colours()

    def set_colours(self) -> None:
        """Apply the current theme's colours."""
        colours = theme.colours()
        self._placeholder = QColor(colours.hover)
        self._bar = QColor(colours.line)
        self._text = QColor(colours.dim)
        self._selection = QColor(colours.selection)
        self._frame = QPen(QColor(colours.link), 2)
        self._veil = QColor(colours.panel)
        self._veil.setAlpha(90)
        self._mark = QColor(theme.SUSPECT)
        self._label = QColor(theme.LABEL)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        sample_id = self._grid.sample_id(index)
        if sample_id < 0:
            return
        cell = QRect(option.rect)  # type: ignore[attr-defined]  # the stubs lack the public members of style options
        box = QRect(0, 0, self.side, self.side)
        box.moveCenter(cell.center())
        box.moveTop(cell.top() + MARGIN)
        state = option.state  # type: ignore[attr-defined]  # PySide's stubs lack the option's fields
        selected = bool(state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(box.adjusted(-MARGIN, -MARGIN, MARGIN, MARGIN + BAR), self._selection)
        self._image(painter, box, sample_id)
        self._confidence(painter, box, sample_id)
        self._marks(painter, box, sample_id)
        if selected and state & QStyle.StateFlag.State_HasFocus:  # the current one of the selected faces
            painter.setPen(self._frame)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(box.adjusted(-2, -2, 2, 2 + BAR))

    def _image(self, painter: QPainter, box: QRect, sample_id: int) -> None:
        pixmap = self._thumbnails.get(sample_id)
        if pixmap is not None:
            painter.drawPixmap(_centred(box, pixmap), pixmap)
            return
        painter.fillRect(box, self._placeholder)
        if self._thumbnails.problem(sample_id):
            painter.setPen(self._text)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, "can't be read")

    def _confidence(self, painter: QPainter, box: QRect, sample_id: int) -> None:
        """Paint the chosen run's mean confidence for this face, on the colour of its uncertainty."""
        if self.confidences is None or not 0 < sample_id <= len(self.confidences):
            return
        sure = float(self.confidences[sample_id - 1])
        if sure != sure:
            return
        text = f"{sure:.0%}"
        painter.setFont(theme.font(pixels=11, tabular=True))
        tag = QRect(box.left(), box.top(), painter.fontMetrics().horizontalAdvance(text) + 8, 15)
        painter.fillRect(tag, cividis(1 - sure))
        painter.setPen(text_on(1 - sure))
        painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, text)

    def _marks(self, painter: QPainter, box: QRect, sample_id: int) -> None:
        facts, row = self.index, sample_id - 1
        if facts is None or row >= len(facts.missing):
            return
        missing = int(facts.missing[row])
        if missing:
            bar = QRect(box.left(), box.bottom() + 1, box.width(), BAR)
            painter.fillRect(bar, self._bar)
            bar.setWidth(round(box.width() * (self.keypoints - missing) / self.keypoints))
            painter.fillRect(bar, self._label)
        if facts.flagged[row]:
            corner = QPointF(box.right() + 1, box.top())
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._mark)
            painter.drawPolygon(QPolygonF([corner, corner + QPointF(-12, 0), corner + QPointF(0, 12)]))
        if sample_id in self.left:
            self._tick(painter, box)

    def _tick(self, painter: QPainter, box: QRect) -> None:
        """Paint a face that no longer matches the query: dimmed, with a tick."""
        painter.fillRect(box, self._veil)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(box.topLeft()) + QPointF(12, 12)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.ACCENT))
        painter.drawEllipse(middle, 9, 9)
        painter.setPen(
            QPen(QColor("white"), 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        )
        painter.drawPolyline(QPolygonF([middle + QPointF(x, y) for x, y in ((-4.5, 0.5), (-1.5, 3.5), (4.5, -3))]))
        painter.restore()


def _centred(box: QRect, pixmap: QPixmap) -> QRect:
    size = QRectF(0, 0, *(pixmap.deviceIndependentSize().toTuple())).toAlignedRect()
    size.moveCenter(box.center())
    return size
