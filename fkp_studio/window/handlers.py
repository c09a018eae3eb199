"""Maps each entry of the table of actions to the method it calls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from fkp_studio.document.members import remove_faces
from fkp_studio.document.settings import state_folder
from fkp_studio.window.arrangement.workspaces import WORKSPACES
from fkp_studio.window.bars.menus import Handler
from training.faces.labels.labels import PointState

if TYPE_CHECKING:
    from fkp_studio.document.session import Session
    from fkp_studio.window.main_window import MainWindow


def handlers(window: MainWindow) -> Mapping[str, Handler]:
    """A handler for every action of scope "window"."""
    return {**_file(window), **_edit(window), **_face(window), **_training(window), **_view(window)}


def _file(w: MainWindow) -> dict[str, Handler]:
    return {
        "open": w.opener.choose_project,
        "import": w.opener.import_data,
        "import_photos": w.opener.choose_photos,
        "demo": w.opener.open_demo,
        "export": w.show_export,
        "keypoints": w.show_keypoints,
        "report": lambda: _show_folder(str(w.session.store.path)) if w.session.store is not None else None,
        "close": w.close_project,
        "settings": w.show_settings,
        "quit": w.close,
    }


def _edit(w: MainWindow) -> dict[str, Handler]:
    return {
        "undo": lambda: w.session.store.undo_stack.undo() if w.session.store is not None else None,
        "redo": lambda: w.session.store.undo_stack.redo() if w.session.store is not None else None,
        "next_face": lambda: w.session.next_sample(1),
        "previous_face": lambda: w.session.next_sample(-1),
        "next_incomplete": w.next_incomplete,
        "contact_sheet": w.canvas.toggle_contact_sheet,
        "draw_box": w.canvas.draw_box,
        "add_face": w.canvas.add_face,
        "remove_face": lambda: _remove_shown(w.session),
        "visible": lambda: w.canvas.view.set_state_of_current(PointState.VISIBLE),
        "occluded": lambda: w.canvas.view.set_state_of_current(PointState.OCCLUDED),
        "absent": lambda: w.canvas.view.set_state_of_current(PointState.ABSENT),
        "unset": lambda: w.canvas.view.set_state_of_current(PointState.UNSET),
        "next_point": lambda: w.canvas.view.next_point(1),
        "previous_point": lambda: w.canvas.view.next_point(-1),
    }


def _remove_shown(session: Session) -> None:
    if session.store is not None and session.sample_id >= 0:
        remove_faces(session.store, np.array([session.sample_id], np.int64))


def _face(w: MainWindow) -> dict[str, Handler]:
    view = w.canvas.view
    return {
        "accept_point": view.accept_current_point,
        "accept_face": view.accept_missing_of_face,
        "accept_all": w.show_accept,
        "take_back": w.take_back,
        "confidence": w.show_confidence,
        "adjust_run": w.show_adjust,
        "predict_all": lambda: w.jobs.predict(w.session.run),
        "live": w.show_live,
        "fit": view.fit,
        "zoom_in": view.zoom_in,
        "zoom_out": view.zoom_out,
        "toggle_predictions": view.toggle_predictions,
        "toggle_edges": view.toggle_edges,
        "toggle_names": view.toggle_names,
        "toggle_ellipses": view.toggle_ellipses,
        "adjust": view.toggle_adjust,
    }


def _training(w: MainWindow) -> dict[str, Handler]:
    return {
        "train": w.train,
        "augmentation": w.show_augmentation,
        "compare": w.show_compare,
        "random_search": w.show_random_search,
        "experiments": w.show_experiments,
        "protocol": w.show_protocol,
        "poses": w.show_poses,
        "offsets": w.show_offsets,
        "stop": w.stop_training,
    }


def _view(w: MainWindow) -> dict[str, Handler]:
    return {
        **{space.id: partial(w.workspaces.switch, space.id) for space in WORKSPACES},
        "reset_workspace": w.workspaces.reset,
        "theme": w.toggle_theme,
        "full_screen": w.toggle_full_screen,
        "search": w.show_search,
        "keys": w.show_keys,
        "log": lambda: _show_folder(str(state_folder())),
        "about": w.show_about,
    }


def _show_folder(path: str) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(path))
