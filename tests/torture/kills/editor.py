"""The process that is killed: it opens a project as the window does, and edits it at random.

Before each edit it announces it; once the store has said that it is saved, it acknowledges with a digest of the project.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication

from fkp_studio.document.members import accept_face, add, put_faces_back, remove_faces
from fkp_studio.document.store import ProjectStore
from tests.torture import inputs, project_digest
from tests.torture.inputs import POINTS, RUN
from training.assist.filling.accept import accept
from training.errors import UserError
from training.faces.labels.labels import PointState
from training.sources.exchange.import_source import import_source
from training.storage.project.edits.move import move_to_split
from training.storage.project.edits.shift import shift_labels
from training.storage.project.edits.unset_accepted import unset_accepted
from training.storage.project.journal import journal_state
from training.storage.project.project import Project
from training.storage.project.tables.imports import read_imports

NEW_FACES = 24  # of one import
PHOTO = 400  # px, side of the photos in which faces are added
_PATIENCE = 30.0  # s, for an edit on the worker thread


class Editor:
    """One open project and a pipe to whoever will kill this process."""

    def __init__(self, path: Path, out: int, *, seed: int, scratch: Path) -> None:
        self.app = QApplication([])
        self.store = ProjectStore(Project.open(path))
        self.random, self.draw = random.Random(seed), np.random.default_rng(seed)
        self._out, self._scratch, self._done = out, scratch, 0

    def work(self) -> None:
        """Edit until killed."""
        self._acknowledge()
        while True:
            name = self.random.choices(list(EDITS), [weight for _, weight in EDITS.values()])[0]
            self._say(begun=name)
            with suppress(UserError):  # refused: then nothing may have changed, which the digest shows
                EDITS[name][0](self)
            self._settle()
            self._acknowledge()

    def _say(self, **values: object) -> None:
        os.write(self._out, json.dumps(values).encode() + b"\n")

    def _acknowledge(self) -> None:
        project = self.store.project
        self._say(digest=project_digest.content(project), shape=shape(project))

    def _settle(self) -> None:
        until = time.monotonic() + _PATIENCE
        while (self.store.busy or self.store._background.pending) and time.monotonic() < until:
            self.app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 5)  # ms
        self.app.processEvents()

    # what edits choose from

    def _face(self) -> int:
        return self.random.randint(1, len(self.store))

    def _some(self, count: int) -> np.ndarray:
        return np.unique(self.draw.integers(1, len(self.store) + 1, count))

    def _point(self) -> int:
        return self.random.randrange(POINTS)

    # the edits

    def place(self) -> None:
        self.store.place(self._face(), self._point(), (self.random.uniform(1, 60), self.random.uniform(1, 60)))

    def nudge(self) -> None:
        face, point, x = self._face(), self._point(), self.random.uniform(5, 40)
        for n in range(self.random.randint(2, 5)):
            self.store.place(face, point, (x + n, x))

    def set_state(self) -> None:
        self.store.set_state(self._face(), self._point(), PointState(self.random.randrange(4)))

    def accept_one(self) -> None:
        accept_face(self.store, RUN, self._face())

    def accept_all(self) -> None:
        point = self._point()
        self.store.edit(lambda project: accept(project, RUN, keypoints=[point]))

    def unset_accepted(self) -> None:
        self.store.edit(lambda project: unset_accepted(project, RUN))

    def undo(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            if self.store.undo_stack.canUndo():
                self.store.undo_stack.undo()
                self._settle()

    def redo(self) -> None:
        for _ in range(self.random.randint(1, 3)):
            if self.store.undo_stack.canRedo():
                self.store.undo_stack.redo()
                self._settle()

    def move(self) -> None:
        ids, split = self._some(20), self.random.randrange(3)
        self.store.edit(lambda project: move_to_split(project, ids, split))

    def shift(self) -> None:
        by = self.random.choice((-0.5, 0.5))
        self.store.edit(lambda project: shift_labels(project, by))

    def remove(self) -> None:
        (put_faces_back if self.random.random() < 0.4 else remove_faces)(self.store, self._some(3))

    def add_face(self) -> None:
        photo = next(i for i in range(len(self.store), 0, -1) if self.store.sample(i).name.startswith("photo"))
        box = np.array([self.random.uniform(0, 300), self.random.uniform(0, 300), 60.0, 60.0])
        add(self.store, photo, box, photo=(PHOTO, PHOTO), room=0.25)

    def bring_in(self) -> None:
        name = f"more-{os.getpid()}-{self._done}"
        self._done += 1
        seed = self.random.randrange(1 << 30)
        import_source(inputs.csv_folder(self._scratch / name, NEW_FACES, seed=seed), self.store.path)
        self.store.external.reload()

    def predict(self) -> None:
        ids = self._some(40)
        points = np.full((len(ids), POINTS, 2), self.random.uniform(5, 40))
        self.store.columns.write(RUN, ids, points, np.full(points.shape[:2], 0.9))


EDITS: dict[str, tuple[Callable[[Editor], None], int]] = {  # with how often each is chosen
    "place": (Editor.place, 8),
    "nudge": (Editor.nudge, 4),
    "set state": (Editor.set_state, 4),
    "accept a face": (Editor.accept_one, 3),
    "accept all": (Editor.accept_all, 4),
    "unset accepted": (Editor.unset_accepted, 1),
    "undo": (Editor.undo, 5),
    "redo": (Editor.redo, 4),
    "move to split": (Editor.move, 2),
    "shift": (Editor.shift, 2),
    "remove": (Editor.remove, 2),
    "add a face": (Editor.add_face, 1),
    "import": (Editor.bring_in, 1),
    "predict": (Editor.predict, 2),
}


def shape(project: Project) -> list[int]:
    """[samples, newest step that is done, undone steps, imports]."""
    return [*journal_state(project.database), len(read_imports(project.database))]


def edit_until_killed(path: Path, out: int, *, seed: int, scratch: Path) -> None:
    """The whole life of a forked child. Never returns."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a KeyboardInterrupt inside a slot of Qt would be printed, not obeyed
    try:
        Editor(path, out, seed=seed, scratch=scratch).work()
    except BaseException:
        os.write(out, json.dumps({"crash": traceback.format_exc()[-1500:]}).encode() + b"\n")
    os._exit(3)
