"""The undo command of the window. There is one, since the arrays of every edit lie in the project's journal on disk."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QUndoCommand


class JournalStep(QUndoCommand):
    """A step of the journal that was written already: its first `redo`, by which Qt takes it in, does nothing.

    The same command serves an edit just made, one of last week after a restart, and ten thousand accepted faces.
    """

    def __init__(self, move: Callable[[JournalStep, bool], None], step: int, *, text: str, samples: int) -> None:
        """move(self, undo) undoes or redoes. step: its id in the journal. samples: how many it touches."""
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
