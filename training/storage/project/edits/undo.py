"""Undoes and redoes the steps of the journal, in order."""

from __future__ import annotations

import numpy as np

from training.storage.project.journal import move_step
from training.storage.project.project import Project


def undo(project: Project, step: int) -> np.ndarray:
    """Undo the newest step; returns the changed ids. Raises UserError if `step` is not the newest."""
    with project.database.transaction():
        return move_step(project.database, step, len(project.schema), undo=True)


def redo(project: Project, step: int) -> np.ndarray:
    """Redo the step undone last; returns the changed ids. Raises UserError if `step` is a different one."""
    with project.database.transaction():
        return move_step(project.database, step, len(project.schema), undo=False)
