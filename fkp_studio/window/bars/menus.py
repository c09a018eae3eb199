"""QActions built from the table of actions: menus, shortcuts and enabled states."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QMainWindow,
    QMenu,
    QMenuBar,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from fkp_studio.actions import ACTIONS, GROUPS, Action, When
from fkp_studio.look.style import assets
from fkp_studio.look.widgets.plain_text import plain_tip

Handler = Callable[[], object]
_TYPING = (QLineEdit, QAbstractSpinBox, QPlainTextEdit, QTextEdit, QComboBox)


def is_plain(key: str) -> bool:
    """Whether the key types or edits in a text field: no Ctrl, Alt or Meta, and no function key."""
    last = key.rsplit("+", 1)[-1]
    return not any(part in key for part in ("Ctrl", "Alt", "Meta")) and not (last[:1] == "F" and last[1:].isdigit())


class Menus(QObject):
    """The window's QActions, one per entry of the table."""

    def __init__(self, window: QMainWindow, handlers: Mapping[str, Handler]) -> None:
        super().__init__(window)
        self.actions: dict[str, QAction] = {}
        self._off: set[str] = set()  # plain keys left to the focused widget
        for action in ACTIONS:
            made = self._make(action, handlers.get(action.id))
            made.setParent(window)
            window.addAction(made)
            self.actions[action.id] = made
        self._present: set[When] = {"always"}
        self._enable()
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._on_focus_changed)

    def _make(self, action: Action, handler: Handler | None) -> QAction:
        made = QAction(assets.icon(action.icon), action.text)
        made.setObjectName(action.id)
        made.setCheckable(action.checkable)
        made.setToolTip(plain_tip(action.tip or action.text))
        made.setMenuRole(QAction.MenuRole.NoRole)
        if action.scope == "window":
            made.setShortcuts([QKeySequence(k) for k in action.keys])
        if handler is not None:
            made.triggered.connect(lambda _checked=False: handler())
        return made

    def fill(self, bar: QMenuBar, *, extra: Mapping[str, QMenu] | None = None) -> None:
        """Fill a menu bar from the table. extra: submenus to put at the top of a group's menu."""
        for group in GROUPS:
            menu = bar.addMenu(f"&{group}")
            for submenu in [(extra or {})[group]] if group in (extra or {}) else []:
                menu.addMenu(submenu)
                menu.addSeparator()
            for action in (a for a in ACTIONS if a.group == group and a.in_menu):
                if action.divider:
                    menu.addSeparator()
                menu.addAction(self.actions[action.id])

    def set_present(self, *, project: bool, face: bool, run: bool) -> None:
        """Enable only the actions whose requirement is met."""
        there: dict[When, bool] = {"always": True, "project": project, "face": face, "run": run}
        present = {word for word, is_there in there.items() if is_there}
        if present != self._present:
            self._present = present
            self._enable()

    def _enable(self) -> None:
        for action in ACTIONS:
            self.actions[action.id].setEnabled(action.when in self._present)

    def _on_focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        plain = {key for a in ACTIONS if a.scope == "window" for key in a.keys if is_plain(key)}
        if isinstance(now, _TYPING):
            self._free(plain)
        elif isinstance(now, QAbstractButton):
            self._free({"Space"})
        else:
            self._free(set())

    def _free(self, keys: set[str]) -> None:
        """Leave these keys to the focused widget."""
        if keys == self._off:
            return
        self._off = keys
        for action in (a for a in ACTIONS if a.scope == "window" and any(is_plain(k) for k in a.keys)):
            self.actions[action.id].setShortcuts([QKeySequence(k) for k in action.keys if k not in keys])
