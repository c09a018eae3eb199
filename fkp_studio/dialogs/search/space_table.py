"""The table of a random search's space: which settings are drawn, and their ranges."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import plain_tip
from training.errors import UserError
from training.storage.runs.settings.config import SETTINGS, RunConfig
from training.storage.runs.settings.search_space import Choices, Dimension, check_space, number, parse

HEAD = ("setting", "from", "to", "log")
SETTING, LOW, HIGH, LOG = range(4)
_FIXED = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
_CHECKED, _UNCHECKED = Qt.CheckState.Checked, Qt.CheckState.Unchecked


class SpaceTable(QTableWidget):
    """One row per setting: drawn or not, low and high, logarithmic; or the values to choose from."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(HEAD), parent)
        self.setObjectName("space")
        self._editable = True
        self.setHorizontalHeaderLabels(HEAD)
        self.setFont(theme.table_font())
        self.setShowGrid(False)
        self.setAccessibleName("Search space")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.AllEditTriggers)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(26)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(SETTING, QHeaderView.ResizeMode.Stretch)
        for column, width in ((LOW, 72), (HIGH, 72), (LOG, 36)):
            header.resizeSection(column, width)
        self.itemChanged.connect(lambda _item: self.edited.emit())

    def show_space(self, space: Mapping[str, Dimension], *, usual: Mapping[str, Dimension], editable: bool) -> None:
        """Show this space; usual settings that are not in it are shown unticked."""
        self._editable = editable
        rows = {**usual, **space}
        with QSignalBlocker(self):
            self.clearSpans()
            self.setRowCount(len(rows))
            for row, (name, dimension) in enumerate(rows.items()):
                self._show_row(row, name, dimension, drawn=name in space)

    def space(self, config: RunConfig) -> dict[str, Dimension]:
        """The space as set in the table. Raises UserError naming an invalid setting."""
        space = {}
        for row in range(self.rowCount()):
            item = self.item(row, SETTING)
            if item is not None and item.checkState() == _CHECKED:
                name = str(item.data(Qt.ItemDataRole.UserRole))
                space[name] = self._dimension(row, name)
        check_space(space, config)
        return space

    def _dimension(self, row: int, name: str) -> Dimension:
        low = self._text(row, LOW)
        if self.columnSpan(row, LOW) > 1:
            return parse(name, low)
        log = self.item(row, LOG)
        ends = f"{low}..{self._text(row, HIGH)}"
        if ".." in low or not self._text(row, HIGH):
            raise UserError(f"The setting {name} needs a number in each field.")
        return parse(name, f"{ends}:log" if log is not None and log.checkState() == _CHECKED else ends)

    def _text(self, row: int, column: int) -> str:
        item = self.item(row, column)
        return "" if item is None else item.text().strip()

    def _show_row(self, row: int, name: str, dimension: Dimension, *, drawn: bool) -> None:
        words = name.replace("_", " ")
        about = SETTINGS[name].metadata["help"]
        setting = self._cell(words, tip=about, check=drawn)
        setting.setData(Qt.ItemDataRole.UserRole, name)
        self.setItem(row, SETTING, setting)
        if isinstance(dimension, Choices):
            values = ", ".join(map(str, dimension.values))
            self.setItem(row, LOW, self._cell(values, tip="The values to choose from", edit=True))
            self.setSpan(row, LOW, 1, 2)
            self.setItem(row, LOG, self._cell(""))
            return
        self.setItem(row, LOW, self._cell(number(dimension.low), edit=True))
        self.setItem(row, HIGH, self._cell(number(dimension.high), edit=True))
        tip = "Draw uniformly on a logarithmic scale"
        self.setItem(row, LOG, self._cell("", tip=tip, check=dimension.log))

    def _cell(self, text: str, *, tip: str = "", edit: bool = False, check: bool | None = None) -> QTableWidgetItem:
        cell = QTableWidgetItem(text)
        cell.setToolTip(plain_tip(tip))
        flags = _FIXED
        if check is not None:
            cell.setCheckState(_CHECKED if check else _UNCHECKED)
            flags |= Qt.ItemFlag.ItemIsUserCheckable if self._editable else Qt.ItemFlag.NoItemFlags
        if edit and self._editable:
            flags |= Qt.ItemFlag.ItemIsEditable
        cell.setFlags(flags)
        return cell
