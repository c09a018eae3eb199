"""Keys that the canvas handles itself while it has the focus; elsewhere they move the focus or a selection."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from fkp_studio.views.canvas.display_bar import DisplayBar
from fkp_studio.views.canvas.editor import FaceEditor
from fkp_studio.views.canvas.gestures.mouse import Mouse

ARROWS = {
    Qt.Key.Key_Left: (-1.0, 0.0),
    Qt.Key.Key_Right: (1.0, 0.0),
    Qt.Key.Key_Up: (0.0, -1.0),
    Qt.Key.Key_Down: (0.0, 1.0),
}
FINE = 0.1
_PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)


class Keys(QObject):
    """Arrows nudge, Tab steps through the points (Ctrl+Tab leaves the canvas), Esc cancels a drag.

    Space goes to the next incomplete face on release; while it is held the mouse pans.
    """

    hand_changed = Signal()

    def __init__(self, widget: QWidget, editor: FaceEditor, *, mouse: Mouse, bar: DisplayBar) -> None:
        super().__init__(widget)
        self._widget, self._editor, self._mouse, self._bar = widget, editor, mouse, bar
        self.hand = False
        self._used = False

    def used(self) -> None:
        """Note that the hand has panned, so that releasing Space does nothing."""
        self._used = True

    def forget(self) -> None:
        """Reset: the focus was lost while Space was down."""
        self.hand = False

    def handle(self, event: QKeyEvent) -> bool:
        """Handle a key event; returns whether the canvas consumed it."""
        kind = event.type()
        if kind == QEvent.Type.ShortcutOverride:
            if self._mine(event):
                event.accept()
            return self._mine(event)
        if kind == QEvent.Type.KeyPress and self._mine(event):
            return self._press(event)
        if kind == QEvent.Type.KeyRelease and event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            return self._let_go()
        return False

    def cursor(self, busy: bool, placing: bool) -> Qt.CursorShape:
        """The cursor shape over the image."""
        if self.hand:
            return Qt.CursorShape.ClosedHandCursor if busy else Qt.CursorShape.OpenHandCursor
        return Qt.CursorShape.CrossCursor if placing else Qt.CursorShape.ArrowCursor

    def _mine(self, event: QKeyEvent) -> bool:
        key, modifiers = event.key(), event.modifiers()
        if key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            return not modifiers & (Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier)
        if key in ARROWS:
            return modifiers & ~Qt.KeyboardModifier.KeypadModifier in (
                Qt.KeyboardModifier.NoModifier,
                Qt.KeyboardModifier.ShiftModifier,
            )
        return key in (Qt.Key.Key_Space, Qt.Key.Key_Escape) and modifiers in _PLAIN

    def _press(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        if key in ARROWS:
            step = FINE if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
            self._editor.nudge(ARROWS[key][0] * step, ARROWS[key][1] * step)
        elif key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            self._tab(event, 1 if key == Qt.Key.Key_Tab else -1)
        elif key == Qt.Key.Key_Escape:
            return self._mouse.cancel() or self._bar.close_adjust()
        elif not event.isAutoRepeat():
            self.hand, self._used = True, False
            self.hand_changed.emit()
        return True

    def _tab(self, event: QKeyEvent, step: int) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._widget.focusNextPrevChild(step > 0)
        else:
            self._editor.next_point(step)

    def _let_go(self) -> bool:
        if self.hand and not self._used:
            self._editor.next_incomplete()
        self.hand = False
        self.hand_changed.emit()
        return True
