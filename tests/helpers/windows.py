"""A window to put a panel in."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot


def in_window(qtbot: QtBot, panel: QWidget, *, width: int = 320, height: int = 400) -> QWidget:
    """Show a panel inside a window of a fixed size.

    As a top-level window it would request a new size whenever its content changes, which makes the offscreen platform
    print a warning.
    """
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(width, height)
    panel.setParent(window)
    panel.resize(width, height)
    window.show()
    panel.show()
    panel.shown_in = window  # type: ignore[attr-defined]  # pytest-qt keeps no reference: the panel does
    return window
