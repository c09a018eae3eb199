"""A read-only table for dialogs: names on the left, figures on the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import plain_tip

_ROW, _NARROWEST = 24, 56  # px
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class FactTable(QTableWidget):
    """name: the accessible name. stretch: whether the first column takes the remaining width."""

    def __init__(self, name: str, *, head: Sequence[str] = (), stretch: bool = True) -> None:
        super().__init__()
        self._stretch = stretch
        self.setAccessibleName(name)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setFont(theme.table_font())
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setMinimumSectionSize(_NARROWEST)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        if head:
            self.set_head(head)

    def set_head(self, head: Sequence[str]) -> None:
        """Set the column titles."""
        self.setColumnCount(len(head))
        for column, text in enumerate(head):
            self.setHorizontalHeaderItem(column, _item(text, column))
        if self._stretch:
            self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def show_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Replace all rows."""
        self.setRowCount(len(rows))
        for number, cells in enumerate(rows):
            for column, text in enumerate(cells):
                self.put(number, column, text)

    def put(self, row: int, column: int, text: str, *, tip: str = "") -> None:
        """Set a cell's text and tool tip."""
        item = _item(text, column)
        item.setToolTip(plain_tip(tip))
        self.setItem(row, column, item)


def signed(value: float, digits: int) -> str:
    """Format with a plus or a typographic minus sign."""
    return f"{value:+.{digits}f}".replace("-", "\u2212")


def _item(text: str, column: int) -> QTableWidgetItem:
    made = QTableWidgetItem(text)
    made.setTextAlignment(_RIGHT if column else _LEFT)
    return made
