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
MOST_BOXES = 200  # keypoints up to which each row has its box; each box lists all keypoints
NONE = "none (on the midline)"


class KeypointsDialog(QDialog):
    """One row per keypoint with its mirror partner. Choosing a partner sets both and frees their former partners."""

    def __init__(self, store: ProjectStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keypoints")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._store, self._schema = store, store.schema
        self._flip = list(self._schema.flip)
        self.partners: dict[int, QComboBox] = {}  # of the rows that have one
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
        self.table = self._table()
        layout.addWidget(self.table)
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
        row_height = QComboBox().sizeHint().height() + 4
        table.verticalHeader().setDefaultSectionSize(row_height)
        for row, title in enumerate(self._schema.titles):
            table.setItem(row, 0, QTableWidgetItem(title))
            table.setItem(row, 1, QTableWidgetItem(self._partner_title(row)))
        if len(self._schema) <= MOST_BOXES:
            for row in range(len(self._schema)):
                self._add_box(table, row)
        else:
            table.cellClicked.connect(lambda row, _column: self._add_box(table, row).showPopup())
            table.cellActivated.connect(lambda row, _column: self._add_box(table, row).showPopup())
        table.setMinimumHeight(min(row_height * min(len(self._schema), ROWS_SHOWN), 360))
        return table

    def _partner_title(self, keypoint: int) -> str:
        partner = self._flip[keypoint]
        return NONE if partner == keypoint else self._schema.titles[partner]

    def _add_box(self, table: QTableWidget, keypoint: int) -> QComboBox:
        """The box of a row, which is made if it has none."""
        if keypoint not in self.partners:
            box = QComboBox()
            box.setAccessibleName(f"Mirror partner of {self._schema.titles[keypoint]}")
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.addItems([NONE if i == keypoint else title for i, title in enumerate(self._schema.titles)])
            box.setCurrentIndex(self._flip[keypoint])
            box.activated.connect(lambda partner: self._pair(keypoint, partner))
            table.setItem(keypoint, 1, QTableWidgetItem())  # its text would be seen around the box
            table.setCellWidget(keypoint, 1, box)
            self.partners[keypoint] = box
        return self.partners[keypoint]

    def _pair(self, keypoint: int, partner: int) -> None:
        """Make these two each other's partners; their former partners get none."""
        for former in (self._flip[keypoint], self._flip[partner]):
            self._set_partner(former, former)
        self._set_partner(keypoint, partner)
        self._set_partner(partner, keypoint)

    def _set_partner(self, keypoint: int, partner: int) -> None:
        self._flip[keypoint] = partner
        if keypoint in self.partners:
            self.partners[keypoint].setCurrentIndex(partner)
        else:
            self.table.setItem(keypoint, 1, QTableWidgetItem(self._partner_title(keypoint)))

    def _eye_box(self, group: Indices, name: str) -> QComboBox:
        """A choice of the point that stands for an eye; a group of several is kept unless another is chosen."""
        box = QComboBox()
        box.setAccessibleName(f"Point that stands for the {name}")
        box.addItem("none", ())
        if len(group) > 1:
            box.addItem(f"the middle of {len(group)} points", group)
        for i, title in enumerate(self._schema.titles):
            box.addItem(title, (i,))
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
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
        return replace(self._schema, flip=tuple(self._flip), interocular=(left, right))

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
