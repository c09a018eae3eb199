"""The window's single undo command: a reference to a step of the project's journal on disk."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QUndoCommand


class JournalStep(QUndoCommand):
    """A step that is already in the journal: its first `redo`, called by Qt on push, does nothing.

    It serves every edit: a new one, one made before a restart, and one of ten thousand accepted faces.
    """

    def __init__(self, move: Callable[[JournalStep, bool], None], step: int, *, text: str, samples: int) -> None:
        """move(self, undo): undoes or redoes the step. step: its id in the journal. samples: how many it touches."""
        super().__init__(text)
        self.step, self.samples = step, samples
        self._move = move
        self._written = True

    def redo(self) -> None:
        if self._written:
            self._written = False
        else:
            self._move(self, False)

    def undo(self) -> None:
        self._move(self, True)
