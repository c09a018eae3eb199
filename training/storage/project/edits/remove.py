"""Faces taken out of a project, as a false find is: a step of the journal, undone and redone like an edit of labels.

A removed sample keeps its id, its picture and its labels, and has REMOVED in the place of its split: no split has it, so nothing
trains on it, measures, exports or shows it, until it is put back.
"""

from __future__ import annotations

import numpy as np

from training.assist.filling.accept import Accepted
from training.faces.labels.samples import Split
from training.storage.project.columns import REMOVED, read_splits
from training.storage.project.database import Database
from training.storage.project.journal import StepWriter


def remove(database: Database, ids: np.ndarray) -> Accepted:
    """Take samples out; what is out already stays so. In a transaction of its own."""
    with database.transaction():
        kept = ids[read_splits(database, ids) != REMOVED]
        return _write(database, kept, np.full(len(kept), REMOVED, np.uint8), verb="remove")


def put_back(database: Database, ids: np.ndarray) -> Accepted:
    """Bring removed samples back, each into the split that the others of its group have, else into train."""
    with database.transaction():
        gone = ids[read_splits(database, ids) == REMOVED]
        after = np.array([split_of_group(database, i) for i in gone.tolist()], np.uint8)
        return _write(database, gone, after, verb="put back")


def split_of_group(database: Database, sample_id: int) -> int:
    """The split of the other samples of this one's group that are not removed; train where there is none."""
    query = "SELECT id FROM samples WHERE grouping <> '' AND grouping = (SELECT grouping FROM samples WHERE id = ?) ORDER BY id"
    group = np.array([number for (number,) in database.all(query, (sample_id,))], np.int64)
    return kept_split(read_splits(database, group))


def kept_split(splits: np.ndarray) -> int:
    """The first of these (uint8 [B]) that is a split; train where none is."""
    return next((int(split) for split in splits if split != REMOVED), int(Split.TRAIN))


def _write(database: Database, ids: np.ndarray, after: np.ndarray, *, verb: str) -> Accepted:
    if not len(ids):
        return Accepted(0, ids, None)
    writer = StepWriter(database, f"{verb} {len(ids):,} face{'' if len(ids) == 1 else 's'}")
    writer.write_splits(ids, read_splits(database, ids), after)
    writer.finish()
    return Accepted(0, ids, writer.id)
