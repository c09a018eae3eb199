"""Moves faces to another split.

Groups (people, photos) stay together: all samples of a moved face's group move with it, except removed ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.storage.project.database import Database
from training.storage.project.edits.step import Edited
from training.storage.project.journal import StepWriter
from training.storage.project.project import Project
from training.storage.project.tables.label_table import as_ids
from training.storage.project.tables.packed_columns import SPLITS, note_first_splits, read_index, read_splits
from training.words import counted


def move_to_split(project: Project, ids: Sequence[int] | np.ndarray, split: int) -> Edited:
    """Move the faces and their groups to train (0), val (1) or test (2).

    `points` counts the moved faces.
    """
    database, chosen = project.database, np.unique(as_ids(ids))
    with database.transaction():
        all_of_them = _with_their_groups(database, chosen)
        before = read_splits(database, all_of_them)
        moved, before = all_of_them[before != split], before[before != split]
        if not len(moved):
            return Edited(0, moved, None)
        note_first_splits(database)
        writer = StepWriter(database, _words(chosen, moved, split))
        writer.write_splits(moved, before, np.full(len(moved), split, np.uint8))
        writer.finish()
    return Edited(len(moved), moved, writer.id)


def _with_their_groups(database: Database, ids: np.ndarray) -> np.ndarray:
    """`ids` and all kept samples of their groups, in one pass over all samples."""
    groups = [group for (group,) in database.all("SELECT grouping FROM samples ORDER BY id")]
    along = {groups[i - 1] for i in ids.tolist()} - {""}
    together = np.array([group in along for group in groups], bool) & read_index(database).kept
    together[ids - 1] = True
    return np.flatnonzero(together) + 1


def _words(chosen: np.ndarray, moved: np.ndarray, split: int) -> str:
    asked = int(np.isin(moved, chosen).sum())
    more = len(moved) - asked
    along = f" and {more:,} more of the same person or photo" if more else ""
    return f"move {counted(asked, 'face')}{along} to {SPLITS[split]}"
