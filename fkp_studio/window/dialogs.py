"""The dialogs that actions open, by action. A dialog's module is imported when it is opened, not at the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QMessageBox, QWidget

from fkp_studio.look.widgets.desktop import keep_on_screen
from fkp_studio.look.widgets.plain_text import own_markup, plain_box
from fkp_studio.window.contents import Contents
from training import __version__

_Kind = TypeVar("_Kind", bound=QWidget)
ABOUT = (
    f"<b>FKP Studio {__version__}</b><br>A workbench for facial keypoints.<br>"
    "Apache-2.0. Uses Qt, PySide6 and pyqtgraph."
)


def _export(window: Contents) -> QDialog:
    from fkp_studio.dialogs.exchange.export_dialog import ExportDialog

    return ExportDialog(window.session, window)


def _keypoints(window: Contents) -> QDialog | None:
    from fkp_studio.window.pages.keypoints_dialog import KeypointsDialog

    store = window.session.store
    return KeypointsDialog(store, window) if store is not None else None


def _settings(window: Contents) -> QDialog:
    from fkp_studio.window.pages.settings_dialog import SettingsDialog

    return SettingsDialog(window.settings, window)


def _accept(window: Contents) -> QDialog:
    from fkp_studio.dialogs.review.accept_dialog import AcceptDialog

    return AcceptDialog(window.session, window.jobs, window.session.run, window)


def _confidence(window: Contents) -> QWidget:
    from fkp_studio.dialogs.review.confidence_dialog import ConfidenceDialog

    shown = _shown(window, ConfidenceDialog, lambda dialog: dialog.run == window.session.run)
    return shown or ConfidenceDialog(window.session, window.jobs, window)


def _adjust(window: Contents) -> QDialog:
    from fkp_studio.dialogs.review.adjust_dialog import AdjustDialog

    return AdjustDialog(window.session, window.jobs.predictions, window)


def _offsets(window: Contents) -> QDialog:
    from fkp_studio.dialogs.review.offsets_dialog import OffsetsDialog

    return OffsetsDialog(window.session, window)


def _live(window: Contents) -> QWidget:
    from fkp_studio.views.live.window import LiveWindow

    return _shown(window, LiveWindow) or LiveWindow(window.session, window)


def _poses(window: Contents) -> QWidget:
    from fkp_studio.dialogs.poses.dialog import PosesDialog

    shown = _shown(window, PosesDialog)
    if shown is not None:
        return shown
    made = PosesDialog(window.session, window)
    made.faces_wanted.connect(window.show_faces)
    if window.panels.training is not None:
        made.use_wanted.connect(window.panels.training.balance_by_pose)
    return made


def _protocol(window: Contents) -> QDialog | None:
    """For the chosen run, else for the one with the smallest error."""
    from fkp_studio.dialogs.experiments.protocol_dialog import ProtocolDialog

    session, book = window.session, window.jobs.book
    # a starter, which lies elsewhere, is not a run of the project
    runs = [info for info in book.infos() if info.has_model and info.run.path.parent == book.folder]
    best = min(runs, key=lambda info: info.least_error, default=None)
    if session.store is None or best is None:
        window.status.show_hint("No model to evaluate yet: train one first.")
        return None
    names = [info.name for info in runs]
    return ProtocolDialog(session.store, session.run if session.run in names else best.name, window, runs=names)


def _experiments(window: Contents) -> QWidget:
    from fkp_studio.dialogs.experiments.dialog import ExperimentsDialog

    return _shown(window, ExperimentsDialog) or ExperimentsDialog(window.session, window.jobs, window)


def _random_search(window: Contents) -> QDialog | None:
    """For the recipe chosen in the training panel."""
    from fkp_studio.dialogs.search.dialog import RandomSearchDialog

    panel = window.panels.training
    return RandomSearchDialog(window.session, window.jobs, window, recipe=panel.chosen) if panel is not None else None


def _search(window: Contents) -> QDialog:
    from fkp_studio.window.pages.command_palette import SearchDialog

    return SearchDialog(window.session, window.menus, window.jobs.book.names(), parent=window)


def _keys(window: Contents) -> QDialog:
    from fkp_studio.window.pages.shortcuts import ShortcutsOverlay

    overlay = ShortcutsOverlay(window)
    overlay.adjustSize()
    rect = overlay.rect()
    rect.moveCenter(window.geometry().center())
    overlay.move(rect.topLeft())
    return overlay


def _about(window: Contents) -> QDialog:
    box = plain_box(window, title="About", buttons=QMessageBox.StandardButton.Ok)
    box.setTextFormat(Qt.TextFormat.RichText)
    box.setText(own_markup(ABOUT))
    return box


@dataclass(frozen=True)
class Opening:
    """make: returns the dialog to show, or None if there is nothing to show.

    beside: the window stays usable, and a dialog that is already open is raised instead of opening a second.
    """

    make: Callable[[Contents], QWidget | None]
    beside: bool = False


# What a dialog requires (a project, a run) is `when` of its action, which is disabled without it.
DIALOGS: Mapping[str, Opening] = {
    "export": Opening(_export),
    "keypoints": Opening(_keypoints),
    "settings": Opening(_settings),
    "accept_all": Opening(_accept),
    "confidence": Opening(_confidence, beside=True),
    "adjust_run": Opening(_adjust),
    "live": Opening(_live, beside=True),
    "poses": Opening(_poses, beside=True),
    "offsets": Opening(_offsets),
    "protocol": Opening(_protocol),
    "experiments": Opening(_experiments, beside=True),
    "random_search": Opening(_random_search),
    "search": Opening(_search),
    "keys": Opening(_keys),
    "about": Opening(_about),
}


def open_dialog(window: Contents, action: str) -> None:
    """Open the dialog of this action."""
    opening = DIALOGS[action]
    dialog = opening.make(window)
    if dialog is None:
        return
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    keep_on_screen(dialog)
    if isinstance(dialog, QDialog) and not opening.beside:
        dialog.open()
    else:
        dialog.show()
        dialog.activateWindow()


def _shown(window: Contents, kind: type[_Kind], same: Callable[[_Kind], bool] = lambda _: True) -> _Kind | None:
    """The visible dialog of this kind that satisfies `same`, if there is one."""
    return next((dialog for dialog in window.findChildren(kind) if dialog.isVisible() and same(dialog)), None)
