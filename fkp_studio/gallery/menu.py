"""The menu on a face of the gallery."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from fkp_studio import assets
from fkp_studio.project.store import ProjectStore


def face_menu(store: ProjectStore, sample_id: int, *, open_face: Callable[[int], object], parent: QWidget) -> QMenu:
    """What can be done with one face. The menu deletes itself after it was shown."""
    sample = store.sample(sample_id)
    menu = QMenu(parent)
    menu.aboutToHide.connect(menu.deleteLater)
    menu.addAction(assets.icon("open"), "Open", lambda: open_face(sample_id))
    path = sample.path
    if path is not None:
        menu.addAction("Show file in its folder", lambda: show_in_folder(path))
    menu.addAction(assets.icon("copy"), "Copy name", lambda: QGuiApplication.clipboard().setText(sample.name))
    return menu


def show_in_folder(path: Path) -> None:
    """Open the folder of a file (or a folder itself) in the desktop's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path if path.is_dir() else path.parent)))
