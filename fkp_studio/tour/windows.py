"""The tour's step through the secondary windows: poses and augmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtWidgets import QWidget

from fkp_studio.window.main_window import MainWindow

W = TypeVar("W", bound=QWidget)
Until = Callable[[Callable[[], bool]], None]  # runs the event loop until the condition holds
Shoot = Callable[[str, str, QWidget], None]  # (name, caption, what to draw)


def show_windows(window: MainWindow, until: Until, shoot: Shoot) -> None:
    """Open poses, then the augmentation preview; take a screenshot of each and close it."""
    from fkp_studio.dialogs.poses.dialog import PosesDialog
    from fkp_studio.views.runs.augmentation_dialog import AugmentationDialog

    window.menus.actions["poses"].trigger()
    poses = _wait_for(window, PosesDialog, until)
    until(lambda: poses.shown is not None)
    shoot("poses", "Poses: their distribution and the effect of balancing; a bin shows its faces", poses)
    poses.close()
    window.menus.actions["augmentation"].trigger()
    sheet = _wait_for(window, AugmentationDialog, until)
    until(lambda: sheet.is_augmented or bool(sheet.fault.text()))
    shoot("augmentation", "Augmentation: faces as the network sees them, while you change the settings", sheet)
    sheet.close()


def _wait_for(window: MainWindow, kind: type[W], until: Until) -> W:
    found: list[W] = []

    def there() -> bool:
        found[:] = [widget for widget in window.findChildren(kind) if widget.isVisible()]
        return bool(found)

    until(there)
    return found[0]
