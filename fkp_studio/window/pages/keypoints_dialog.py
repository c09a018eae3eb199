"""The keypoints dialog: mirror partners, and the two eye points whose distance normalises errors."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.document.store import ProjectStore
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import PlainLabel
from training.errors import UserError
from training.faces.labels.schema import Indices, KeypointSchema

ROWS_SHOWN = 12


class KeypointsDialog(QDialog):
    """One row per keypoint with its mirror partner. Choosing a partner sets both and frees their former partners."""

    def __init__(self, store: ProjectStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keypoints")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._store, self._schema = store, store.schema
        self.partners = [self._partner_box(i) for i in range(len(self._schema))]
        self.eyes = [self._eye_box(group, f"{side} eye") for side, group in self._eyes()]
        self.fault = PlainLabel(wordWrap=True)
        self.fault.setProperty("role", "danger")
        self.fault.hide()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.save = buttons.addButton("Save keypoints", QDialogButtonBox.ButtonRole.AcceptRole)
        self.save.setProperty("role", "primary")
        buttons.accepted.connect(self._save)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(16)
        layout.addWidget(
            _words("In a mirrored image each point takes the name of its partner. Left is the subject's left.")
        )
        layout.addWidget(self._table())
        layout.addWidget(_words("Errors are given as a share of the distance between:"))
        layout.addLayout(self._eye_row())
        layout.addWidget(self.fault)
        layout.addWidget(buttons)
        self.resize(560, self.sizeHint().height())

    def _eyes(self) -> tuple[tuple[str, Indices], tuple[str, Indices]]:
        left, right = self._schema.interocular
        return ("left", left), ("right", right)

    def _table(self) -> QTableWidget:
        table = QTableWidget(len(self._schema), 2)
        table.setHorizontalHeaderLabels(["keypoint", "mirror partner"])
        table.verticalHeader().hide()
        table.setShowGrid(False)
        table.setFont(theme.table_font())
        table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        for row, (title, box) in enumerate(zip(self._schema.titles, self.partners, strict=True)):
            table.setItem(row, 0, QTableWidgetItem(title))
            table.setCellWidget(row, 1, box)
            table.setRowHeight(row, box.sizeHint().height() + 4)
        height = sum(table.rowHeight(row) for row in range(min(len(self._schema), ROWS_SHOWN)))
        table.setMinimumHeight(min(height, 360))
        return table

    def _partner_box(self, keypoint: int) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(f"Mirror partner of {self._schema.titles[keypoint]}")
        for i, title in enumerate(self._schema.titles):
            box.addItem("none (on the midline)" if i == keypoint else title, i)
        box.setCurrentIndex(self._schema.flip[keypoint])
        box.activated.connect(lambda partner: self._pair(keypoint, partner))
        return box

    def _pair(self, keypoint: int, partner: int) -> None:
        """Make these two each other's partners; their former partners get none."""
        for i, box in enumerate(self.partners):
            if i not in (keypoint, partner) and box.currentIndex() in (keypoint, partner):
                box.setCurrentIndex(i)
        self.partners[keypoint].setCurrentIndex(partner)
        self.partners[partner].setCurrentIndex(keypoint)

    def _eye_box(self, group: Indices, name: str) -> QComboBox:
        """A choice of the point that stands for an eye; a group of several is kept unless another is chosen."""
        box = QComboBox()
        box.setAccessibleName(f"Point that stands for the {name}")
        box.addItem("none", ())
        if len(group) > 1:
            box.addItem(f"the middle of {len(group)} points", group)
        for i, title in enumerate(self._schema.titles):
            box.addItem(title, (i,))
        box.setCurrentIndex(next(i for i in range(box.count()) if tuple(box.itemData(i)) == group))
        return box

    def _eye_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.eyes[0], 1)
        row.addWidget(PlainLabel("and"))
        row.addWidget(self.eyes[1], 1)
        return row

    def schema(self) -> KeypointSchema:
        """The schema as set in the dialog. Raises UserError if it is incomplete."""
        left, right = (tuple(int(i) for i in box.currentData()) for box in self.eyes)
        if bool(left) != bool(right) or (left and left == right):
            raise UserError("Choose two different points for the eyes, or none for both.")
        flip = tuple(int(box.currentIndex()) for box in self.partners)
        return replace(self._schema, flip=flip, interocular=(left, right))

    def _save(self) -> None:
        try:
            schema = self.schema()
            if schema != self._schema:
                self._store.project.set_schema(schema)
                self._store.external.reload()
        except UserError as error:
            self.fault.setText(str(error))
            self.fault.show()
        else:
            self.accept()


def _words(text: str) -> QLabel:
    label = PlainLabel(text, wordWrap=True)
    label.setProperty("role", "dim")
    return label
