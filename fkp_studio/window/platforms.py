"""Which of Qt's platforms to use: the display where there is one, else drawing into memory."""

from __future__ import annotations

import os
import sys


def has_display() -> bool:
    """Whether a window can be shown here. On a Mac and on Windows always."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def choose_platform() -> None:
    """Draw into memory where there is no display; what the user set in QT_QPA_PLATFORM holds. Before the QApplication."""
    if not has_display():
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
