"""The context menu of a face in the gallery."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from fkp_studio.document.members import put_faces_back, remove_faces
from fkp_studio.document.store import ProjectStore
from fkp_studio.look.style import assets
from fkp_studio.look.widgets.desktop import show_in_folder
from training.errors import UserError
from training.storage.project.edits.move import move_to_split
from training.storage.project.tables.packed_columns import SPLITS
from training.words import counted


def face_menu(
    store: ProjectStore,
    sample_id: int,
    *,
    open_face: Callable[[int], object],
    parent: QWidget,
    selected: np.ndarray | None = None,
) -> QMenu:
    """The menu for one face, or for all `selected` ones if it is among them. It deletes itself after use."""
    sample = store.sample(sample_id)
    ids = np.array([sample_id], np.int64) if selected is None or sample_id not in selected else selected
    menu = QMenu(parent)
    menu.aboutToHide.connect(menu.deleteLater)
    menu.addAction(assets.icon("open"), "Open", lambda: open_face(sample_id))
    path = sample.path
    if path is not None:
        menu.addAction("Show file in folder", lambda: show_in_folder(path))
    menu.addAction(assets.icon("copy"), "Copy name", lambda: QGuiApplication.clipboard().setText(sample.name))
    menu.addSeparator()
    menu.addMenu(_move_menu(store, ids, menu))
    kept = store.index().kept[ids - 1]
    if kept.any():
        menu.addAction(
            assets.icon("close"), f"Remove {counted(int(kept.sum()), 'face')}", lambda: remove_faces(store, ids[kept])
        )
    if not kept.all():
        gone = ids[~kept]
        menu.addAction(
            assets.icon("undo"), f"Put {counted(len(gone), 'face')} back", lambda: put_faces_back(store, gone)
        )
    return menu


def _move_menu(store: ProjectStore, ids: np.ndarray, parent: QMenu) -> QMenu:
    """The splits; the one that holds all these faces is checked."""
    menu = QMenu(f"Move {counted(len(ids), 'face')} to", parent)
    menu.setToolTipsVisible(True)
    now = np.unique(store.index().splits[ids - 1]).tolist()
    for split, name in enumerate(SPLITS):
        action = menu.addAction(name, partial(_move, store, ids, split))
        action.setToolTip("Other images of the same person or photo move along. It is one undo step.")
        action.setCheckable(True)
        action.setChecked(now == [split])
        action.setEnabled(now != [split])
    return menu


def _move(store: ProjectStore, ids: np.ndarray, split: int) -> None:
    try:
        store.edit(lambda project: move_to_split(project, ids, split))
    except UserError as error:
        store.failed.emit(str(error))
