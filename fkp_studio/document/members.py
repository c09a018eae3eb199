"""Adds, removes and puts back faces of the open project. Each call is one undoable edit."""

from __future__ import annotations

import numpy as np

from fkp_studio.document.store import BULK, ProjectStore
from training.assist.filling.accept import Accepted
from training.errors import UserError
from training.storage.project.edits.add_face import add_face
from training.storage.project.edits.remove import put_back, remove
from training.storage.project.project import Project


def add(store: ProjectStore, sample_id: int, box: np.ndarray, *, photo: tuple[int, int]) -> int:
    """Add a face from this sample's photo. box: x, y, width, height in px. Returns the new id. Raises UserError."""
    made: list[Accepted] = []

    def work(project: Project) -> Accepted:
        made.append(add_face(project, sample_id, box, photo=photo))
        return made[0]

    store.edit(work, many=False)
    return int(made[0].ids[0])


def remove_faces(store: ProjectStore, ids: np.ndarray) -> None:
    """Remove these faces from the project. Errors are emitted by the store's `failed`."""
    try:
        store.edit(lambda project: remove(project.database, ids), many=len(ids) > BULK)
    except UserError as error:
        store.failed.emit(str(error))


def put_faces_back(store: ProjectStore, ids: np.ndarray) -> None:
    """Put removed faces back. Errors are emitted by the store's `failed`."""
    try:
        store.edit(lambda project: put_back(project.database, ids), many=len(ids) > BULK)
    except UserError as error:
        store.failed.emit(str(error))
