"""Edits of whole faces of the open project. Each call is one undoable edit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fkp_studio.document.store import ProjectStore
from training.assist.filling.accept import accept
from training.errors import UserError
from training.storage.project.edits.add_face import add_face
from training.storage.project.edits.remove import put_back, remove
from training.storage.project.edits.step import Edited
from training.storage.project.project import Project


def add(store: ProjectStore, sample_id: int, box: np.ndarray, *, photo: tuple[int, int], room: float) -> int:
    """Add a face from this sample's photo. box: x, y, width, height in px. photo: width, height
    in px. room: margin around the box, as a share of its longer side. Returns the new id. Raises UserError."""
    made: list[Edited] = []

    def work(project: Project) -> Edited:
        made.append(add_face(project, sample_id, box, photo=photo, room=room))
        return made[0]

    store.edit(work, samples=1)
    return int(made[0].ids[0])


def remove_faces(store: ProjectStore, ids: np.ndarray) -> None:
    """Remove these faces from the project. Errors are emitted by the store's `failed`."""
    try:
        store.edit(lambda project: remove(project, ids), samples=len(ids))
    except UserError as error:
        store.failed.emit(str(error))


def put_faces_back(store: ProjectStore, ids: np.ndarray) -> None:
    """Put removed faces back. Errors are emitted by the store's `failed`."""
    try:
        store.edit(lambda project: put_back(project, ids), samples=len(ids))
    except UserError as error:
        store.failed.emit(str(error))


def accept_face(
    store: ProjectStore,
    run: str,
    sample_id: int,
    *,
    keypoints: Sequence[int] | None = None,
    source: object | None = None,
) -> int:
    """Fill the unset points of one face, or some of them, from a run's predictions. Returns the number of points."""
    accepted = store.edit(
        lambda project: accept(project, run, [sample_id], keypoints=keypoints), samples=1, source=source
    )
    return accepted or 0
