"""The window's undo stack, which mirrors the project's journal on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtGui import QUndoCommand, QUndoStack

from training.storage.project.edits import undo as steps
from training.storage.project.journal import MAX_STEPS, Step
from training.storage.project.project import Project


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


class JournalStack(QUndoStack):
    """Holds one command per step of the journal, undone ones included."""

    def __init__(self, move: Callable[[JournalStep, bool], None], parent: QObject) -> None:
        """move(command, undo) writes an undo or redo."""
        super().__init__(parent)
        self.setUndoLimit(MAX_STEPS)
        self._move = move
        self._replaying = False

    def restore(self, steps: Sequence[Step]) -> None:
        """Replace all commands by these steps, oldest first. Writes nothing."""
        self._replaying = True
        try:
            self.clear()
            for step in steps:
                self.take(step)
            self.setIndex(sum(not step.undone for step in steps))
        finally:
            self._replaying = False

    def take(self, step: Step) -> None:
        """Add a step just written to the journal."""
        self.push(JournalStep(self._moved, step.id, text=step.text, samples=step.samples))

    def _moved(self, command: JournalStep, undo: bool) -> None:
        if not self._replaying:
            self._move(command, undo)

    def steps(self) -> list[int]:
        """The steps' ids, oldest first."""
        commands = (self.command(i) for i in range(self.count()))
        return [c.step for c in commands if isinstance(c, JournalStep)]

    def newest(self) -> int:
        """The id of the newest step, 0 for none."""
        command = self.command(self.count() - 1) if self.count() else None
        return command.step if isinstance(command, JournalStep) else 0

    def oldest(self) -> int:
        """The id of the oldest step, 0 for none."""
        command = self.command(0) if self.count() else None
        return command.step if isinstance(command, JournalStep) else 0

    def undone(self) -> int:
        """The number of undone steps."""
        return self.count() - self.index()


def move(project: Project, step: int, *, undo: bool) -> np.ndarray:
    """Undo or redo a step of the journal; returns the changed ids. Raises UserError."""
    return steps.undo(project, step) if undo else steps.redo(project, step)
