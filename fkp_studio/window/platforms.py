"""Choice of the Qt platform plugin: the display if there is one, else `offscreen`."""

from __future__ import annotations

import os
import sys


def has_display() -> bool:
    """Whether a window can be shown here; always true on macOS and Windows."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def choose_platform() -> None:
    """Use `offscreen` without a display, unless QT_QPA_PLATFORM is set. Call it before the QApplication is made."""
    if not has_display():
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
