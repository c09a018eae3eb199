"""The `?` overlay: all keyboard shortcuts, generated from the table of actions."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPalette
from PySide6.QtWidgets import QDialog, QFrame, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from fkp_studio.actions import ACTIONS, Action, Group, key_text
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.plain_text import PlainLabel

COLUMNS: tuple[tuple[Group, ...], ...] = (("Face", "Point"), ("Predict", "Train", "Edit"), ("View",), ("File", "Help"))
ARROWS = {"Left": "←", "Right": "→", "Up": "↑", "Down": "↓"}


def keys_text(action: Action) -> str:
    """All keys of an action in one line, with arrow symbols: `D  PgDown`, `Shift ← → ↑ ↓`."""
    head = (
        "Shift " if action.keys and all(k.startswith("Shift+") for k in action.keys) and len(action.keys) == 4 else ""
    )
    if all(key.removeprefix("Shift+") in ARROWS for key in action.keys):
        return head + " ".join(ARROWS[key.removeprefix("Shift+")] for key in action.keys)
    return "  ".join(key_text(key) for key in action.keys)


class ShortcutsOverlay(QDialog):
    """Shows shortcuts in four columns by group; a click, Esc or `?` closes it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        title = PlainLabel("Keys")
        title.setProperty("role", "title")
        hint = PlainLabel("Left hand on the keys, right hand on the mouse. Esc to close.")
        hint.setProperty("role", "dim")
        body = QWidget()
        body.setAutoFillBackground(True)
        body.setBackgroundRole(QPalette.ColorRole.Base)
        columns = QHBoxLayout(body)
        columns.setContentsMargins(0, 16, 8, 0)
        columns.setSpacing(40)
        for groups in COLUMNS:
            columns.addLayout(self._column(groups))
        scroll = QScrollArea()
        scroll.setWidget(body)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumWidth(body.sizeHint().width() + 24)
        scroll.setMinimumHeight(min(body.sizeHint().height() + 16, 520))
        frame = QFrame()
        frame.setObjectName("overlay")
        inner = QVBoxLayout(frame)
        inner.setContentsMargins(32, 24, 24, 24)
        for widget in (title, hint, scroll):
            inner.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(frame)

    def _column(self, groups: tuple[Group, ...]) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(16)
        for group in groups:
            column.addLayout(self._group(group))
        column.addStretch(1)
        return column

    def _group(self, group: Group) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        heading = PlainLabel(group.upper())
        heading.setProperty("role", "heading")
        grid.addWidget(heading, 0, 0, 1, 2)
        for row, action in enumerate((a for a in ACTIONS if a.group == group and a.keys), start=1):
            keys = PlainLabel(keys_text(action))
            keys.setFont(theme.font(pixels=12, bold=True))
            grid.addWidget(PlainLabel(action.text.rstrip("…")), row, 0)
            grid.addWidget(keys, row, 1, Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(0, 1)
        return grid

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.text() == "?" or event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Space):
            self.accept()
        else:
            super().keyPressEvent(event)
