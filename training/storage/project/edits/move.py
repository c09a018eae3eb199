"""Moves faces to another split, in an undoable step of the journal.

Groups (people, photos) stay together: all samples of a moved face's group move with it, except removed ones.
"""

from __future__ import annotations

import hashlib

import numpy as np

from training.assist.filling.accept import Accepted
from training.storage.project.columns import SPLITS, read_index, read_splits
from training.storage.project.database import Database
from training.storage.project.journal import StepWriter

_FIRST = "first_splits"  # key in meta: digest of the splits before the first move


def move_to_split(database: Database, ids: np.ndarray, split: int) -> Accepted:
    """Move the faces and their groups to train (0), val (1) or test (2), in the caller's transaction.

    Returns how many were moved, which, and the step; step None if all were already there.
    """
    chosen = np.unique(ids)
    all_of_them = _with_their_groups(database, chosen)
    before = read_splits(database, all_of_them)
    moved, before = all_of_them[before != split], before[before != split]
    if not len(moved):
        return Accepted(0, moved, None)
    if database.one("SELECT value FROM meta WHERE key = ?", (_FIRST,)) is None:
        database.sql.execute("INSERT INTO meta VALUES (?, ?)", (_FIRST, _digest(database)))
    writer = StepWriter(database, _words(chosen, moved, split))
    writer.write_splits(moved, before, np.full(len(moved), split, np.uint8))
    writer.finish()
    return Accepted(len(moved), moved, writer.id)


def moved_splits(database: Database) -> str:
    """A digest of the splits if they differ from the original ones, else ""."""
    first = database.one("SELECT value FROM meta WHERE key = ?", (_FIRST,))
    now = "" if first is None else _digest(database)
    return "" if first is None or first[0] == now else now


def _digest(database: Database) -> str:
    index = read_index(database)
    return hashlib.sha256(index.splits[index.kept].tobytes()).hexdigest()[:16]


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
    return f"move {asked:,} face{'' if asked == 1 else 's'}{along} to {SPLITS[split]}"
