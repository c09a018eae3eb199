"""The top bar: menus, project name, workspaces, search, help and theme."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QMenuBar, QSizePolicy, QToolButton, QWidget

from fkp_studio.actions import BY_ID, key_text
from fkp_studio.look.style import assets, theme
from fkp_studio.look.widgets.plain_text import PlainLabel, plain_tip
from fkp_studio.window.arrangement.workspaces import WORKSPACES
from fkp_studio.window.bars.menus import Menus

HEIGHT = 40  # px
NAME_WIDTH = 200  # px; a longer project name is elided


class Elided(PlainLabel):
    """A label that elides long text in the middle and shows it in full on hover."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self._width = width

    def set_text(self, text: str) -> None:
        self.setToolTip(plain_tip(text if self.fontMetrics().horizontalAdvance(text) > self._width else ""))
        self.setText(self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, self._width))


class Segments(QWidget):
    """A segmented control: exclusive buttons side by side in one outline."""

    chosen = Signal(str)

    def __init__(self, entries: list[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QToolButton] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        for name, text in entries:
            button = QToolButton()
            button.setText(text)
            button.setCheckable(True)
            button.setToolTip(plain_tip(f"{text} ({BY_ID[name].keys[0]})"))
            button.setAccessibleName(f"Workspace {text}")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setMinimumWidth(64)
            button.clicked.connect(lambda _checked, n=name: self.chosen.emit(n))
            self._group.addButton(button)
            self.buttons[name] = button
            layout.addWidget(button)

    def set_current(self, name: str) -> None:
        """Check one button without emitting `chosen`."""
        self.buttons[name].setChecked(True)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - the whole outline is drawn
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(theme.colours().line))
        painter.drawRoundedRect(self.rect().toRectF().adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)


class TopBar(QWidget):
    """Holds the menu bar and the controls that are always visible."""

    def __init__(self, menus: Menus, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self.menu_bar = QMenuBar()
        self.menu_bar.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
        self.name = Elided(width=NAME_WIDTH)
        self.name.setFont(theme.font(bold=True))
        self._divider = QFrame(frameShape=QFrame.Shape.VLine)
        self._divider.setFixedHeight(16)
        self._divider.setProperty("role", "line")
        self.workspaces = Segments([(w.id, w.title) for w in WORKSPACES])
        self.workspaces.chosen.connect(lambda name: menus.actions[name].trigger())
        self.theme_button = _button(menus, "theme")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 0, 8, 0)
        layout.setSpacing(8)
        layout.addWidget(self.menu_bar, alignment=Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self._divider)
        layout.addWidget(self.name)
        layout.addStretch(1)
        layout.addWidget(self.workspaces)
        layout.addStretch(1)
        layout.addWidget(self._search(menus))
        layout.addWidget(_button(menus, "keys"))
        layout.addWidget(self.theme_button)
        self.set_project("")
        theme.current().changed.connect(self._on_theme)
        self._on_theme()

    def set_project(self, name: str) -> None:
        """Show the project's name; "" on the start page, which also hides the workspaces."""
        self.name.set_text(name)
        self.name.setVisible(bool(name))
        self._divider.setVisible(bool(name))
        self.workspaces.setVisible(bool(name))

    def _search(self, menus: Menus) -> QToolButton:
        button = _button(menus, "search")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setText(f"Search  {key_text(BY_ID['search'].keys[0])}")
        button.setProperty("role", "search")
        return button

    def _on_theme(self) -> None:
        self.theme_button.setIcon(assets.icon("sun" if theme.colours().dark else "moon"))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - one hairline at the bottom
        painter = QPainter(self)
        painter.fillRect(0, self.height() - 1, self.width(), 1, QColor(theme.colours().line))


def _button(menus: Menus, name: str) -> QToolButton:
    action = BY_ID[name]
    button = QToolButton()
    button.setIcon(assets.icon(action.icon))
    button.setIconSize(QSize(20, 20))
    button.setToolTip(plain_tip(f"{action.text.rstrip('…')} ({key_text(action.keys[0])})"))
    button.setAccessibleName(action.text.rstrip("…"))
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.clicked.connect(menus.actions[name].trigger)
    return button
