"""The table in which the user sets the role of each CSV column."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from fkp_studio.dialogs.exchange.column_roles import IGNORE, choices, with_role
from fkp_studio.look.style import assets, theme

Index = QModelIndex | QPersistentModelIndex
NOTHING = QModelIndex()
ROLE_COLUMN = 1


class ColumnModel(QAbstractTableModel):
    """Two columns: the CSV column and its role."""

    roles_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.columns: tuple[str, ...] = ()
        self.roles: list[str] = []
        self._chevron = assets.icon("chevron-down", colour=theme.colours().dim)

    def set_columns(self, columns: tuple[str, ...], roles: list[str]) -> None:
        """Show these."""
        if (columns, roles) != (self.columns, self.roles):
            self.beginResetModel()
            self.columns, self.roles = columns, roles
            self.endResetModel()

    def rowCount(self, parent: Index = NOTHING) -> int:
        return 0 if parent.isValid() else len(self.columns)

    def columnCount(self, parent: Index = NOTHING) -> int:
        return 0 if parent.isValid() else 2

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("column", "read as")[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return (self.columns, self.roles)[index.column()][index.row()]
        if role == Qt.ItemDataRole.DecorationRole and index.column() == ROLE_COLUMN:
            return self._chevron
        if role == Qt.ItemDataRole.ForegroundRole and self.roles[index.row()] == IGNORE:
            return QColor(theme.colours().dim)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        editable = Qt.ItemFlag.ItemIsEditable if index.column() == ROLE_COLUMN else Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | editable

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or index.column() != ROLE_COLUMN:
            return False
        roles = with_role(self.roles, index.row(), str(value))
        if roles == self.roles:
            return False
        self.roles = roles
        self.dataChanged.emit(self.index(0, ROLE_COLUMN), self.index(len(roles) - 1, ROLE_COLUMN))
        self.roles_changed.emit()
        return True


class _RoleDelegate(QStyledItemDelegate):
    """A combo box of roles that also accepts typed names."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        option.decorationPosition = QStyleOptionViewItem.Position.Right  # type: ignore[attr-defined]
        option.decorationSize = QSize(12, 12)  # type: ignore[attr-defined]  # PySide's stubs lack the option's fields

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:  # noqa: ARG002
        box = QComboBox(parent)
        box.setEditable(True)
        box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        model = index.model()
        if isinstance(model, ColumnModel):
            box.addItems(choices(model.roles, model.columns[index.row()]))
        box.activated.connect(lambda _row: self._chosen(box))
        return box

    def _chosen(self, box: QComboBox) -> None:
        self.commitData.emit(box)
        self.closeEditor.emit(box)

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        if isinstance(editor, QComboBox):
            editor.setCurrentText(str(index.data(Qt.ItemDataRole.EditRole)))

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        if isinstance(editor, QComboBox):
            model.setData(index, editor.currentText(), Qt.ItemDataRole.EditRole)


class ColumnTable(QTableView):
    """Shows a ColumnModel; a click on a role opens its choices."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.columns = ColumnModel(self)
        self.setModel(self.columns)
        self.setItemDelegateForColumn(ROLE_COLUMN, _RoleDelegate(self))
        self.setEditTriggers(QAbstractItemView.EditTrigger.AllEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setFont(theme.table_font())
        self.setAccessibleName("columns")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(28)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
