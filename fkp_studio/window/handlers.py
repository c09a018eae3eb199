"""Maps each entry of the table of actions to the method of the object that performs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt

from fkp_studio.document.members import remove_faces
from fkp_studio.look.style import theme
from fkp_studio.look.widgets.desktop import show_in_folder
from fkp_studio.window.arrangement.workspaces import WORKSPACES
from fkp_studio.window.bars.menus import Handler
from fkp_studio.window.contents import Contents
from fkp_studio.window.dialogs import DIALOGS, open_dialog
from training.faces.labels.labels import PointState
from training.files.private import state_folder
from training.storage.project.edits.unset_accepted import unset_accepted

if TYPE_CHECKING:
    from fkp_studio.document.store import ProjectStore
    from fkp_studio.views.runs.train_panel import TrainingPanel


def handlers(window: Contents) -> Mapping[str, Handler]:
    """A handler for every action of scope "window"."""
    return {
        **{action: partial(open_dialog, window, action) for action in DIALOGS},
        **_file(window),
        **_edit(window),
        **_point(window),
        **_training(window),
        **_view(window),
    }


def _file(window: Contents) -> dict[str, Handler]:
    opener = window.opener
    return {
        "open": opener.choose_project,
        "import": opener.import_data,
        "import_photos": opener.choose_photos,
        "demo": opener.open_demo,
        "report": _of_store(window, lambda store: show_in_folder(store.path)),
        "close": opener.close_project,
        "quit": window.close,
        "log": lambda: show_in_folder(state_folder()),
    }


def _edit(window: Contents) -> dict[str, Handler]:
    session, canvas = window.session, window.canvas
    return {
        "undo": _of_store(window, lambda store: store.undo_stack.undo()),
        "redo": _of_store(window, lambda store: store.undo_stack.redo()),
        "next_face": partial(session.next_sample, 1),
        "previous_face": partial(session.next_sample, -1),
        "next_incomplete": canvas.view.editor.next_incomplete,
        "contact_sheet": canvas.toggle_contact_sheet,
        "draw_box": canvas.draw_box,
        "add_face": canvas.add_face,
        "remove_face": _of_store(window, lambda store: remove_faces(store, np.array([session.sample_id], np.int64))),
    }


def _point(window: Contents) -> dict[str, Handler]:
    editor = window.canvas.view.editor
    return {
        "next_point": partial(editor.next_point, 1),
        "previous_point": partial(editor.next_point, -1),
        "visible": partial(editor.set_state, PointState.VISIBLE),
        "occluded": partial(editor.set_state, PointState.OCCLUDED),
        "absent": partial(editor.set_state, PointState.ABSENT),
        "unset": partial(editor.set_state, PointState.UNSET),
        "accept_point": editor.accept_current,
        "accept_face": editor.accept_missing,
        "take_back": _of_store(window, lambda store: store.edit(partial(unset_accepted, run=window.session.run))),
    }


def _training(window: Contents) -> dict[str, Handler]:
    return {
        "train": _of_training(window, lambda panel: panel.train()),
        "augmentation": _of_training(window, lambda panel: panel.show_augmentation()),
        "compare": _of_training(window, lambda panel: panel.show_compare()),
        "stop": window.jobs.stop_training,
        "predict_all": lambda: window.jobs.predictions.predict(window.session.run),
    }


def _view(window: Contents) -> dict[str, Handler]:
    view = window.canvas.view
    return {
        "fit": view.fit,
        "zoom_in": view.zoom_in,
        "zoom_out": view.zoom_out,
        "toggle_predictions": partial(view.toggle, "predictions"),
        "toggle_edges": partial(view.toggle, "edges"),
        "toggle_names": partial(view.toggle, "names"),
        "toggle_ellipses": partial(view.toggle, "ellipses"),
        "adjust": view.bar.toggle_adjust,
        **{space.id: partial(window.workspaces.switch, space.id) for space in WORKSPACES},
        "reset_workspace": window.workspaces.reset,
        "theme": lambda: window.settings.set("theme", "light" if theme.colours().dark else "dark"),
        "full_screen": lambda: window.setWindowState(window.windowState() ^ Qt.WindowState.WindowFullScreen),
    }


def _of_store(window: Contents, act: Callable[[ProjectStore], object]) -> Handler:
    """A handler that acts on the open project's store."""
    return lambda: act(window.session.store) if window.session.store is not None else None


def _of_training(window: Contents, act: Callable[[TrainingPanel], object]) -> Handler:
    """A handler that acts on the training panel; it does nothing until the panel is made."""
    return lambda: act(window.panels.training) if window.panels.training is not None else None
