"""The desktop around the window: its file manager, and the room on its screen."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

BORDER, TITLE_BAR = 8, 40  # px: room for the border and title bar that the desktop adds
NARROWEST = 1024  # px: a narrower screen does not make dialogs narrower


def show_in_folder(path: Path) -> None:
    """Open the file manager at a folder, or at the folder of a file."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path if path.is_dir() else path.parent)))


def keep_on_screen(dialog: QWidget) -> None:
    """Shrink a dialog that is too large for the screen, so that its buttons can be reached. For before it is shown."""
    screen = dialog.screen().availableGeometry()
    room = QSize(max(screen.width(), NARROWEST) - BORDER, screen.height() - TITLE_BAR)
    if dialog.size() != dialog.size().boundedTo(room):  # else Qt still chooses the size of one that has none of its own
        dialog.resize(dialog.size().boundedTo(room))
