"""Tracks which mark the mouse rests on."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

HOVER_MS = 300
NOTHING = (-1, False)


class Hover(QObject):
    """`rests_on`: (keypoint, whether its prediction) once the mouse has been on it for HOVER_MS, else (-1, False)."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rests_on = NOTHING
        self._over = NOTHING
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(HOVER_MS)
        self._timer.timeout.connect(self._on_rested)

    def over(self, keypoint: int, ring: bool) -> None:
        """Note that the mouse is over this mark (-1: none)."""
        if (keypoint, ring) != self._over:
            self.forget()
            self._over = (keypoint, ring)
            if keypoint >= 0:
                self._timer.start()

    def forget(self) -> None:
        """Reset: the mouse left or a button was pressed."""
        self._timer.stop()
        self._over = NOTHING
        self._set(NOTHING)

    def _on_rested(self) -> None:
        self._set(self._over)

    def _set(self, mark: tuple[int, bool]) -> None:
        if mark != self.rests_on:
            self.rests_on = mark
            self.changed.emit()
