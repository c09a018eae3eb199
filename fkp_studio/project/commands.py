"""The undo command of the window. There is one, since the arrays of every edit lie in the project's journal on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QUndoCommand

if TYPE_CHECKING:
    from fkp_studio.project.store import ProjectStore


class JournalStep(QUndoCommand):
    """A step of the journal that was written already: its first `redo`, by which Qt takes it in, does nothing.

    The same command serves an edit just made, one of last week after a restart, and ten thousand accepted faces.
    """

    def __init__(self, store: ProjectStore, step: int, *, text: str, samples: int) -> None:
        """step: its id in the journal. samples: how many it touches; large ones are moved in the background."""
        super().__init__(text)
        self.step, self.samples = step, samples
        self._store = store
        self._written = True

    def redo(self) -> None:
        if self._written:
            self._written = False
        else:
            self._store.move_step(self, undo=False)

    def undo(self) -> None:
        self._store.move_step(self, undo=True)
