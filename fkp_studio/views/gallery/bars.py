"""The gallery's filter bar, progress row and empty state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from fkp_studio.document.lacking import Lacking, groups
from fkp_studio.look.style import assets
from fkp_studio.look.widgets.plain_text import PlainLabel, plain_tip
from fkp_studio.views.gallery.filters import Filter, Query, Sort
from training.faces.labels.schema import KeypointSchema
from training.words import counted

SIZE_NAMES = {"S": "Small", "M": "Medium", "L": "Large"}


class FilterBar(QWidget):
    """Count, thumbnail size, filter, keypoint and sort. Shows a query and emits a signal when the user changes it."""

    query_changed = Signal(object)  # Query
    size_changed = Signal(str)
    refresh_wanted = Signal()
    back_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._query = Query()
        self.count, self.refresh, self.back = PlainLabel(), QPushButton(), QPushButton("← back")
        self.size_button = _SizeButton(self.size_changed.emit)
        self.filter = _combo("filter", [(f.value, f) for f in Filter])
        self.sort = _combo("sort", [(s.value, s) for s in Sort])
        self.keypoint = _combo("keypoint", [])
        self.refresh.setProperty("role", "flat")
        self.refresh.setToolTip("Filter and sort again")
        self.refresh.clicked.connect(self.refresh_wanted)
        self.back.setProperty("role", "flat")
        self.back.setToolTip("Back to the previous faces")
        self.back.clicked.connect(self.back_wanted)
        self.filter.activated.connect(self._on_filter)
        self.sort.activated.connect(self._on_chosen)
        self.keypoint.activated.connect(self._on_chosen)
        self._lay_out()
        self.set_query(Query())
        self.set_left(0)

    def _lay_out(self) -> None:
        top, choice = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.count)
        top.addStretch(1)
        top.addWidget(self.back)
        top.addWidget(self.refresh)
        top.addWidget(self.size_button)
        choice.setSpacing(4)
        choice.addWidget(self.filter, 6)
        choice.addWidget(self.sort, 5)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(choice)
        column.addWidget(self.keypoint)

    def set_schema(self, schema: KeypointSchema | None) -> None:
        """Set the keypoints that 'missing labels' can be restricted to."""
        self.keypoint.clear()
        self.keypoint.addItem("any keypoint", ())
        for group in groups(schema) if schema else ():
            self.keypoint.addItem(f"missing: {group.title}", group.keypoints)
        self.set_query(Query())

    def set_query(self, query: Query, *, title: str = "") -> None:
        """Show this query. title: the name of the faces in `query.only`."""
        self._query = query
        self.back.setVisible(bool(title))
        with QSignalBlocker(self.filter):
            if self.filter.itemData(0) is None:
                self.filter.removeItem(0)
            if title:
                self.filter.insertItem(0, title)
            self.filter.setCurrentIndex(0 if title else self.filter.findData(query.filter))
        self.sort.setCurrentIndex(self.sort.findData(query.sort))
        self.keypoint.setVisible(query.filter is Filter.MISSING)
        place = [i for i in range(self.keypoint.count()) if tuple(self.keypoint.itemData(i)) == query.keypoints]
        self.keypoint.setCurrentIndex(place[0] if place else 0)

    def set_count(self, shown: int, total: int) -> None:
        """Show how many of all faces are shown."""
        self.count.setText(counted(total, "face") if shown == total else f"{shown:,} of {total:,}")

    def set_left(self, count: int, *, outdated: bool = False) -> None:
        """Show how many of the shown faces no longer match the query, with the refresh button."""
        self.refresh.setVisible(bool(count) or outdated)
        self.refresh.setText(f"{count:,} done · refresh" if count else "refresh")

    def set_size(self, size: str) -> None:
        """Check this size in the menu."""
        self.size_button.set_size(size)

    def _on_filter(self) -> None:
        if self.filter.currentData() is None:
            return
        chosen = Filter(self.filter.currentData())  # Qt gives back plain text
        sort = self._query.sort
        if chosen is Filter.WORST:
            sort = Sort.ERROR
        elif self._query.filter is Filter.WORST and sort is Sort.ERROR:
            sort = Sort.INDEX
        self.query_changed.emit(Query(chosen, sort))

    def _on_chosen(self) -> None:
        chosen = replace(self._query, sort=Sort(self.sort.currentData()))
        if chosen.filter is Filter.MISSING:
            chosen = replace(chosen, keypoints=tuple(self.keypoint.currentData() or ()))
        self.query_changed.emit(chosen)


def _combo(name: str, items: list[tuple[str, object]]) -> QComboBox:
    combo = QComboBox()
    combo.setAccessibleName(name)
    combo.setToolTip(plain_tip(name))
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(6)
    combo.setMaxVisibleItems(30)
    combo.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keyboard with the faces
    for text, data in items:
        combo.addItem(text, data)
    return combo


class _SizeButton(QToolButton):
    """A menu of three thumbnail sizes."""

    def __init__(self, chosen: Callable[[str], object]) -> None:
        super().__init__()
        self.setIcon(assets.icon("grid"))
        self.setToolTip("Thumbnail size")
        self.setAccessibleName("thumbnail size")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu, group = QMenu(self), QActionGroup(self)
        self._actions: dict[str, QAction] = {}
        for size, name in SIZE_NAMES.items():
            self._actions[size] = action = menu.addAction(name)
            action.setCheckable(True)
            action.setData(size)
            group.addAction(action)
        group.triggered.connect(lambda action: chosen(action.data()))
        self.setMenu(menu)

    def set_size(self, size: str) -> None:
        self._actions[size].setChecked(True)


class ProgressRow(QWidget):
    """The share of labelled points and the labels most faces lack, with a button that shows those faces."""

    show_wanted = Signal(tuple)  # keypoints

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar, self.percent, self.sentence, self.show_button = (
            QProgressBar(),
            PlainLabel(),
            PlainLabel(),
            QPushButton("Show"),
        )
        self._keypoints: tuple[int, ...] = ()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("labels")
        self.sentence.setProperty("role", "dim")
        self.sentence.setWordWrap(True)
        self.show_button.setProperty("role", "flat")
        self.show_button.setToolTip("Show these faces")
        self.show_button.clicked.connect(lambda: self.show_wanted.emit(self._keypoints))
        above, below = QHBoxLayout(), QHBoxLayout()
        heading = PlainLabel("labels")
        heading.setProperty("role", "dim")
        above.addWidget(heading)
        above.addWidget(self.bar, 1)
        above.addWidget(self.percent)
        below.addWidget(self.sentence, 1)
        below.addWidget(self.show_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(4)
        column.addLayout(above)
        column.addLayout(below)

    def show_state(self, share: float, lacking: Lacking | None) -> None:
        """Show the progress. share: labelled points of all points, 0..1. lacking: None while it is being counted."""
        self.bar.setValue(int(share * 1000))
        self.percent.setText(f"{int(share * 100)}%")
        group = lacking.most() if lacking else None
        self._keypoints = group.keypoints if group else ()
        self.sentence.setText(lacking.sentence() if lacking else "")
        self.show_button.setVisible(group is not None)


class Notice(QWidget):
    """The empty state of the grid: a message and the one action that fills it."""

    acted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title, self.text, self.button = PlainLabel(), PlainLabel(), QPushButton()
        self._act = ""
        self.text.setProperty("role", "dim")
        for label in (self.title, self.text):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button.clicked.connect(lambda: self.acted.emit(self._act))
        self.button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(8)
        column.addStretch(1)
        column.addWidget(self.title)
        column.addWidget(self.text)
        column.addSpacing(8)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(2)

    def show_text(self, title: str, text: str, button: str, *, act: str = "all") -> None:
        """Show this message; with an empty `button` no action is offered."""
        self.title.setText(title)
        self.text.setText(text)
        self.text.setVisible(bool(text))
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self._act = act
