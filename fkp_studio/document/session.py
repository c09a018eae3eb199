"""The window's current selection: open project, face, keypoint, run, and the order of the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from fkp_studio.document.store import ProjectStore

NONE = -1
AHEAD = 256  # how far to look for the next incomplete face


class Session(QObject):
    """The current selection. It holds no labels; those are in `store`, which is None while no project is open.

    Signals are emitted only if the value changes, after the property has its new value.
    """

    project_changed = Signal()  # opened, replaced or closed
    sample_changed = Signal(int)  # the current sample's id, -1 for none
    keypoint_changed = Signal(int)  # the current keypoint, -1 for none
    run_changed = Signal(str)  # the run whose predictions are shown, "" for none
    order_changed = Signal()  # the gallery was filtered or sorted again

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store: ProjectStore | None = None
        self._order = np.empty(0, np.int64)
        self._at = 0  # the last place looked up: with a million faces each search would cost a millisecond
        self._sample_id = NONE
        self._keypoint = NONE
        self._run = ""

    @property
    def sample_id(self) -> int:
        """The current sample, -1 for none."""
        return self._sample_id

    @property
    def keypoint(self) -> int:
        """The current keypoint, -1 for none."""
        return self._keypoint

    @property
    def run(self) -> str:
        """The name of the run whose predictions are shown, "" for none."""
        return self._run

    @property
    def order(self) -> np.ndarray:
        """int64 [N], the ids in the gallery's order, after filtering and sorting. Initially the import order."""
        return self._order

    def open_project(self, path: Path) -> None:
        """Replace the current project. Raises UserError, and keeps the current one, if it can't be read."""
        from fkp_studio.document.store import ProjectStore
        from training.storage.project.project import Project

        self.set_store(ProjectStore(Project.open(path), self))

    def close_project(self) -> None:
        """Close the project; everything is already on disk."""
        self.set_store(None)

    def set_store(self, store: ProjectStore | None) -> None:
        """Switch to another store (or none), with nothing selected and in import order."""
        old, self.store = self.store, store
        self._order = np.empty(0, np.int64) if store is None else store.ids()[store.index().kept]
        self._sample_id, self._keypoint, self._run = NONE, NONE, ""
        self.project_changed.emit()
        self.run_changed.emit("")
        self.order_changed.emit()
        if self._sample_id == NONE:  # a view may have selected one meanwhile
            self._sample_id = int(self._order[0]) if len(self._order) else NONE
            self.sample_changed.emit(self._sample_id)
        if old is not None:
            old.close()
            old.deleteLater()

    def set_sample(self, sample_id: int) -> None:
        """Select this sample; -1 for none."""
        if sample_id != self._sample_id:
            self._sample_id = sample_id
            self.sample_changed.emit(sample_id)

    def set_keypoint(self, keypoint: int) -> None:
        """Select this keypoint; -1 for none. The selection survives a change of face."""
        if keypoint != self._keypoint:
            self._keypoint = keypoint
            self.keypoint_changed.emit(keypoint)

    def set_run(self, name: str) -> None:
        """Show this run's predictions; "" shows none."""
        if name != self._run:
            self._run = name
            self.run_changed.emit(name)

    def set_order(self, ids: np.ndarray) -> None:
        """Set the gallery's order, int64 [N]. The current sample stays, even if it is not in it."""
        self._order = np.asarray(ids, np.int64)
        self.order_changed.emit()

    def place(self, sample_id: int) -> int:
        """The index of a sample in `order`, -1 if the filter hides it. Repeated lookups of one sample are free."""
        if not (self._at < len(self._order) and self._order[self._at] == sample_id):
            found = np.flatnonzero(self._order == sample_id)
            if not len(found):
                return NONE
            self._at = int(found[0])
        return self._at

    def next_sample(self, step: int = 1) -> None:
        """Move `step` faces forward (back if negative) in the gallery's order; stops at the ends."""
        if len(self._order):
            at = self.place(self._sample_id)
            target = at + step if at != NONE else 0
            self._at = min(max(target, 0), len(self._order) - 1)
            self.set_sample(int(self._order[self._at]))

    def next_incomplete(self) -> bool:
        """Go to the next face with missing points, wrapping around; False if there is no other."""
        if self.store is None or not len(self._order):
            return False
        lacking = self.store.index().missing[self._order - 1] > 0  # a sample's row is its id - 1
        lacking[self._order == self._sample_id] = False
        places = np.flatnonzero(lacking)
        if not len(places):
            return False
        self._at = int(places[np.searchsorted(places, self.place(self._sample_id) + 1) % len(places)])
        self.set_sample(int(self._order[self._at]))
        return True


def neighbours(session: Session) -> list[int]:
    """Ids of the faces around the current one in the gallery's order and the next incomplete ones, likeliest first."""
    order, store = session.order, session.store
    at = session.place(session.sample_id)
    if store is None or at < 0:
        return []
    near = [at + step for step in (1, -1, 2, 3, -2) if 0 <= at + step < len(order)]
    ids = [int(order[i]) for i in near]
    index = store.index()
    ahead = order[at + 1 : at + 1 + AHEAD]
    rows = np.searchsorted(index.ids, ahead)
    ids += [int(i) for i in ahead[index.missing[rows] > 0][:2]]
    return list(dict.fromkeys(ids))
