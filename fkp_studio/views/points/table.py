"""The points panel: the table of the current face's points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QModelIndex, QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.document.members import accept_face
from fkp_studio.face.current_face import CurrentFace
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import PlainLabel
from fkp_studio.views.points.cells import CellPainter
from fkp_studio.views.points.model import Column, PointsModel

if TYPE_CHECKING:
    from fkp_studio.document.session import Session

ROW = 24
GIVE_WAY = (Column.MAKER, Column.CONFIDENCE)  # hidden in this order when space is short; tooltips have the same data
NAME_ROOM = "L brow inner"
SCROLL_BAR = 10
PADDING = 8  # px of a cell, both sides together


class PointsPanel(QWidget):
    """Lists each point's position, origin and distance to the prediction. Selecting a row selects the keypoint.

    current: the CurrentFace of another view to share, so that the face is read once for both.
    """

    def __init__(self, session: Session, parent: QWidget | None = None, *, current: CurrentFace | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._current = current or CurrentFace(session, self)
        self.model = PointsModel(session, self._current, self)
        self.table = _table(self.model)
        self.sentence = PlainLabel("The points of the current face appear here.")
        self.sentence.setProperty("role", "dim")
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence.setWordWrap(True)
        self.run = PlainLabel()
        self.run.setProperty("role", "dim")
        self.run.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.accept_button = QPushButton()
        self.accept_button.setToolTip("Accept the chosen run's predictions for the unset points of this face")
        self.refusal = PlainLabel()
        self.refusal.setProperty("role", "danger")
        self.refusal.setWordWrap(True)
        self.refusal.hide()
        self._lay_out()
        self.accept_button.clicked.connect(self._on_accept)
        self.model.refused.connect(self._on_refused)
        self.model.modelReset.connect(self._select_current)
        self.table.selectionModel().currentRowChanged.connect(self._on_row_changed)
        session.keypoint_changed.connect(self._select_current)
        self._current.changed.connect(self._refresh)
        self._refresh()
        self._select_current()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(8, 4, 8, 6)
        row.addWidget(self.run, 1)
        row.addWidget(self.accept_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.table, 1)
        column.addWidget(self.sentence, 1)
        column.addWidget(self.refusal)
        column.addLayout(row)
        self.refusal.setContentsMargins(8, 4, 8, 8)
        self.setFocusProxy(self.table)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def _refresh(self) -> None:
        face = self._current.face
        self.refusal.hide()
        self.table.setVisible(face is not None)
        self.sentence.setVisible(face is None)
        predicted = face is not None and bool(self._session.run)
        self.run.setVisible(predicted)
        self.accept_button.setVisible(predicted)
        if face is not None and predicted:
            count = int(face.acceptable.sum())
            self.run.setText(self._session.run)
            self.accept_button.setText(f"Accept missing ({count})")
            self.accept_button.setEnabled(count > 0)
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Size the number columns for the largest coordinate; hide GIVE_WAY columns if the name gets too narrow."""
        face, metrics = self._current.face, self.table.fontMetrics()
        largest = max(face.width, face.height) if face is not None else 0
        figure = "9999" if largest >= 1000 else "999.9" if largest > 100 else "99.9"
        texts = {
            Column.X: figure,
            Column.Y: figure,
            Column.ERROR: "  Δ px",
            Column.CONFIDENCE: "100%",
            Column.MAKER: "absent",
        }
        compared = bool(self._session.run)
        widths = {column: metrics.horizontalAdvance(text) + PADDING for column, text in texts.items()}
        if not compared:
            widths[Column.ERROR] = widths[Column.CONFIDENCE] = 0
        room = self.width() - SCROLL_BAR - ROW - sum(widths.values())
        for column, width in widths.items():
            self.table.setColumnHidden(column, width == 0)
            if width:
                self.table.setColumnWidth(column, width)
        for column in GIVE_WAY:
            if room < metrics.horizontalAdvance(NAME_ROOM):
                self.table.setColumnHidden(column, True)
                room += widths[column]

    def _on_accept(self) -> None:
        face, store = self._current.face, self._session.store
        if face is not None and store is not None:
            accept_face(store, self._session.run, face.sample_id, source=self)

    def _on_refused(self, sentence: str) -> None:
        self.refusal.setText(sentence)
        self.refusal.show()

    def _on_row_changed(self, row: QModelIndex, _before: QModelIndex) -> None:
        if row.isValid():
            self.refusal.hide()
            self._session.set_keypoint(row.row())

    def _select_current(self) -> None:
        keypoint, selection = self._session.keypoint, self.table.selectionModel()
        if not 0 <= keypoint < self.model.rowCount():
            self.table.clearSelection()
            self.table.setCurrentIndex(QModelIndex())
        elif selection.currentIndex().row() != keypoint or not selection.isRowSelected(keypoint):
            column = max(selection.currentIndex().column(), Column.NAME)
            self.table.setCurrentIndex(self.model.index(keypoint, column))


class _Table(QTableView):
    """Full-width rows; the name column takes the remaining width and is elided."""

    def __init__(self, model: PointsModel) -> None:
        super().__init__()
        self._points = model
        self.setModel(model)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint all cells in one pass: Qt's delegates would call Python a dozen times per cell on every face change."""
        rect, shown = event.rect(), [c for c in Column if not self.isColumnHidden(c)]
        places = [(c, self.columnViewportPosition(c), self.columnWidth(c)) for c in shown]
        selected = {index.row() for index in self.selectionModel().selectedRows()}
        with QPainter(self.viewport()) as painter:
            painter.setFont(self.font())
            cells = CellPainter(painter, self.palette())
            for row in range(max(self.rowAt(rect.top()), 0), self._points.rowCount()):
                y = self.rowViewportPosition(row)
                if y > rect.bottom():
                    break
                if row in selected:
                    cells.select(QRect(rect.left(), y, rect.width(), ROW))
                for column, x, width in places:
                    if x <= rect.right() and x + width > rect.left():
                        cells.paint(QRect(x, y, width, ROW), column, self._points.cell(row, column))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.viewport().update()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.currentIndex().isValid():
            self.scrollTo(self.currentIndex())


def _table(model: PointsModel) -> QTableView:
    table = _Table(model)
    table.setFont(theme.table_font())
    table.setAccessibleName("Points of the face")
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setTextElideMode(Qt.TextElideMode.ElideRight)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setTabKeyNavigation(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(ROW)
    table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    header = table.horizontalHeader()
    header.setFont(theme.table_font())
    header.setHighlightSections(False)
    header.setSectionsClickable(False)
    header.setMinimumSectionSize(20)
    for column in Column:
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
    header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
    table.setColumnWidth(Column.STATE, ROW)
    return table
