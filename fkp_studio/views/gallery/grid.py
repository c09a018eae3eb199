"""The thumbnail grid: a table with cells of fixed size, so that a million faces open as fast as ten."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableView, QWidget

Index = QModelIndex | QPersistentModelIndex
NOTHING = QModelIndex()
AHEAD = 1  # screens of thumbnails drawn in advance


class GridModel(QAbstractTableModel):
    """Maps cell (row, column) to face `row * columns + column` of an order of ids. It holds no images."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.order = np.empty(0, np.int64)
        self.columns = 1

    def rowCount(self, parent: Index = NOTHING) -> int:
        return 0 if parent.isValid() else -(-len(self.order) // self.columns)

    def columnCount(self, parent: Index = NOTHING) -> int:
        return 0 if parent.isValid() else self.columns

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.AccessibleTextRole and self.sample_id(index) >= 0:
            return f"face {self.position(index) + 1:,} of {len(self.order):,}"
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        usable = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return usable if self.sample_id(index) >= 0 else Qt.ItemFlag.NoItemFlags

    def position(self, index: Index) -> int:
        """The cell's position in the order; past its end for the empty cells of the last row."""
        return index.row() * self.columns + index.column()

    def sample_id(self, index: Index) -> int:
        """The face in this cell, -1 for none."""
        place = self.position(index)
        return int(self.order[place]) if index.isValid() and place < len(self.order) else -1

    def index_of(self, position: int) -> QModelIndex:
        """The cell of the face at this position in the order."""
        return self.index(position // self.columns, position % self.columns)

    def set_order(self, order: np.ndarray, *, columns: int) -> None:
        """Show these ids in this many columns."""
        self.beginResetModel()
        self.order, self.columns = order, max(1, columns)
        self.endResetModel()


class GridView(QTableView):
    """Shows a GridModel, fits the number of columns to its width and reports which faces are visible."""

    chosen = Signal(int)  # the face the user moved to
    opened = Signal(int)  # the face that was double-clicked or on which Return was pressed
    in_sight = Signal(list)  # ids on the screen, then those of the next screen

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cell = 104
        self._syncing = False
        self._grid = GridModel(self)
        self.setModel(self._grid)
        self._plain()
        self._look = QTimer(self, singleShot=True, interval=0)
        self._look.timeout.connect(self._tell_in_sight)
        self.verticalScrollBar().valueChanged.connect(self.look_again)
        self.selectionModel().currentChanged.connect(self._on_current)
        self.activated.connect(self._open)

    def _plain(self) -> None:
        self.setAccessibleName("faces")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)  # else the column count could oscillate
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.hide()
            header.setMinimumSectionSize(1)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(self._cell)

    @property
    def grid(self) -> GridModel:
        return self._grid

    def set_cell(self, pixels: int) -> None:
        """Set the cells' height and least width in px."""
        self._cell = pixels
        self.verticalHeader().setDefaultSectionSize(pixels)
        self.verticalScrollBar().setSingleStep(pixels // 3)
        self._fit(force=True)

    def set_order(self, order: np.ndarray, *, current: int) -> None:
        """Show these ids. current: the position of the current face among them, -1 for none."""
        self._reset(order, self._columns(), current)

    def set_current(self, position: int) -> None:
        """Select the face at this position and scroll to it; -1 for none."""
        self._syncing = True
        try:
            if position < 0:
                self.clearSelection()
                self.selectionModel().clearCurrentIndex()
            elif self._grid.index_of(position) != self.currentIndex():
                self.setCurrentIndex(self._grid.index_of(position))
                self.scrollTo(self.currentIndex())
        finally:
            self._syncing = False

    def selected_ids(self) -> np.ndarray:
        """The ids of the selected faces, int64, in the grid's order."""
        grid, places = self._grid, []
        selection = self.selectionModel().selection()
        for part in map(selection.at, range(selection.size())):
            rows = np.arange(part.top(), part.bottom() + 1)[:, None] * grid.columns
            places.append((rows + np.arange(part.left(), part.right() + 1)).ravel())
        found = np.unique(np.concatenate(places)) if places else np.empty(0, np.int64)
        return grid.order[found[found < len(grid.order)]]

    def setSelection(self, rect: QRect, command: QItemSelectionModel.SelectionFlag) -> None:
        """With Shift or dragging, select all faces from one to the other in order, not a block of the table."""
        ends = [self.indexAt(rect.topLeft()), self.indexAt(rect.bottomRight())]
        places = sorted(self._grid.position(end) for end in ends if end.isValid())
        if len(places) < 2:
            super().setSelection(rect, command)
            return
        self.selectionModel().select(self._between(*places), command)

    def _between(self, first: int, last: int) -> QItemSelection:
        """The cells from one position to another: the rest of a row, whole rows, the start of a row."""
        grid, columns, chosen = self._grid, self._grid.columns, QItemSelection()
        last = min(last, len(grid.order) - 1)
        top, bottom = first // columns, last // columns
        for row, end in {(top, top), (top + 1, bottom - 1), (bottom, bottom)}:
            low, high = max(first, row * columns), min(last, end * columns + columns - 1)
            if row <= end:
                chosen.select(grid.index(row, low % columns), grid.index(end, high % columns))
        return chosen

    def refresh(self, ids: list[int] | None = None) -> None:
        """Repaint these faces if visible; None: all."""
        if ids is None:
            self.viewport().update()
            return
        changed = set(ids)
        first, end = self._visible()
        for place in np.flatnonzero(np.isin(self._grid.order[first:end], list(changed))):
            self.update(self._grid.index_of(first + int(place)))

    def look_again(self) -> None:
        """Emit `in_sight` again."""
        self._look.start()  # without arguments: a scroll bar's value would be taken as the interval

    def moveCursor(self, action: QAbstractItemView.CursorAction, _modifiers: Qt.KeyboardModifier) -> QModelIndex:
        """Left and Right continue past the ends of rows; Home and End go to the first and the last face."""
        grid, count = self._grid, len(self._grid.order)
        if not count:
            return NOTHING
        moves, page = QAbstractItemView.CursorAction, max(1, self.viewport().height() // self._cell) * grid.columns
        step = {
            moves.MoveLeft: -1, moves.MovePrevious: -1, moves.MoveRight: 1, moves.MoveNext: 1,
            moves.MoveUp: -grid.columns, moves.MoveDown: grid.columns,
            moves.MovePageUp: -page, moves.MovePageDown: page,
            moves.MoveHome: -count, moves.MoveEnd: count,
        }[action]  # fmt: skip
        here = grid.position(self.currentIndex()) if self.currentIndex().isValid() else 0
        target = here + step
        if not 0 <= target < count and abs(step) == grid.columns and action in (moves.MoveUp, moves.MoveDown):
            last_row = target >= count and here // grid.columns < (count - 1) // grid.columns
            target = count - 1 if last_row else here
        return grid.index_of(min(max(target, 0), count - 1))

    def keyboardSearch(self, text: str) -> None:
        """Do nothing: letters are shortcuts of the window, and Qt would search a million cells."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()
        self._look.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()
        self._look.start()

    def _columns(self) -> int:
        return max(1, self.viewport().width() // self._cell)

    def _fit(self, *, force: bool = False) -> None:
        """Use as many columns as fit, and divide the rest of the width among them."""
        columns = self._columns()
        if force or columns != self._grid.columns:
            current = self._grid.position(self.currentIndex()) if self.currentIndex().isValid() else -1
            top = self._visible()[0]
            self._reset(self._grid.order, columns, current)
            if len(self._grid.order):
                self.scrollTo(self._grid.index_of(top), QAbstractItemView.ScrollHint.PositionAtTop)
        self.horizontalHeader().setDefaultSectionSize(self.viewport().width() // columns)

    def _reset(self, order: np.ndarray, columns: int, current: int) -> None:
        self._syncing = True
        self._grid.set_order(order, columns=columns)
        self._syncing = False
        self.horizontalHeader().setDefaultSectionSize(self.viewport().width() // self._grid.columns)
        self.set_current(current)
        self._look.start()

    def _visible(self) -> tuple[int, int]:
        """The range of positions in the order that is on the screen: first, end."""
        top = self.verticalScrollBar().value()
        first = top // self._cell * self._grid.columns
        end = (-(-(top + self.viewport().height()) // self._cell)) * self._grid.columns
        return min(first, len(self._grid.order)), min(end, len(self._grid.order))

    def _tell_in_sight(self) -> None:
        first, end = self._visible()
        ahead = (end - first) * AHEAD
        self.in_sight.emit(self._grid.order[first : end + ahead].tolist() if self.isVisible() else [])

    def _on_current(self, index: QModelIndex) -> None:
        if not self._syncing and self._grid.sample_id(index) >= 0:
            self.chosen.emit(self._grid.sample_id(index))

    def _open(self, index: QModelIndex) -> None:
        if self._grid.sample_id(index) >= 0:
            self.opened.emit(self._grid.sample_id(index))
