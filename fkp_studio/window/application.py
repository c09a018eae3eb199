"""The QApplication, made once for the window, the tour and the benchmarks."""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QApplication

from fkp_studio.document.settings import NAME
from training import __version__


def make_application() -> QApplication:
    """The QApplication, with the name that determines where settings and data are stored."""
    there = QApplication.instance()
    app = there if isinstance(there, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName(NAME)
    app.setApplicationDisplayName("FKP Studio")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName(NAME)
    app.setStyle("Fusion")
    return app
