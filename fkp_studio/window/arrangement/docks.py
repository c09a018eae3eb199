"""Docks with a small grey title that can be dragged and a close button that appears on hover."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QEnterEvent, QPalette
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QToolButton, QWidget

from fkp_studio.look.style import assets
from fkp_studio.look.widgets.plain_text import PlainLabel, plain_tip
from fkp_studio.window.arrangement.workspaces import Part

HEIGHT = 28  # px


class Title(QWidget):
    """The title bar of a dock. Mouse presses reach the dock, so that it can be dragged."""

    def __init__(self, text: str, dock: QDockWidget) -> None:
        super().__init__(dock)
        self.setFixedHeight(HEIGHT)
        self.setAutoFillBackground(True)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        heading = PlainLabel(text.upper())
        heading.setProperty("role", "heading")
        self.note = PlainLabel()
        self.note.setProperty("role", "dim")
        self.hide_button = QToolButton()
        self.hide_button.setIcon(assets.icon("close"))
        self.hide_button.setIconSize(QSize(14, 14))
        self.hide_button.setToolTip(plain_tip(f"Hide {text} (View > Panels shows it again)"))
        self.hide_button.setAccessibleName(f"Hide {text}")
        self.hide_button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide_button.clicked.connect(dock.hide)
        policy = self.hide_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.hide_button.setSizePolicy(policy)
        self.hide_button.hide()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 4, 4, 0)
        layout.setSpacing(4)
        layout.addWidget(heading)
        layout.addStretch(1)
        layout.addWidget(self.note)
        layout.addWidget(self.hide_button)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.hide_button.show()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.hide_button.hide()
        super().leaveEvent(event)


def fill(dock: QDockWidget, widget: QWidget) -> None:
    """Put a widget into its dock, with the panel background."""
    widget.setAutoFillBackground(True)
    widget.setBackgroundRole(QPalette.ColorRole.Base)
    dock.setWidget(widget)


def make_dock(part: Part, parent: QWidget) -> QDockWidget:
    """An empty dock for this part."""
    dock = QDockWidget(part.title, parent)
    dock.setObjectName(part.id)
    dock.setAccessibleName(part.title)
    dock.setTitleBarWidget(Title(part.title, dock))
    return dock
