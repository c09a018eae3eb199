"""Removes faces, such as false detections, from a project, in an undoable step of the journal.

A removed sample keeps its id, image and labels, with REMOVED instead of its split, so it is not trained on, measured,
exported or shown until it is restored.
"""

from __future__ import annotations

import numpy as np

from training.assist.filling.accept import Accepted
from training.faces.labels.samples import Split
from training.storage.project.columns import REMOVED, read_splits
from training.storage.project.database import Database
from training.storage.project.journal import StepWriter


def remove(database: Database, ids: np.ndarray) -> Accepted:
    """Remove samples, in a transaction of its own; samples already removed are ignored."""
    with database.transaction():
        kept = ids[read_splits(database, ids) != REMOVED]
        return _write(database, kept, np.full(len(kept), REMOVED, np.uint8), verb="remove")


def put_back(database: Database, ids: np.ndarray) -> Accepted:
    """Restore removed samples, each into the split of the others in its group, else into train."""
    with database.transaction():
        gone = ids[read_splits(database, ids) == REMOVED]
        after = np.array([split_of_group(database, i) for i in gone.tolist()], np.uint8)
        return _write(database, gone, after, verb="put back")


def split_of_group(database: Database, sample_id: int) -> int:
    """The split of the kept samples in this sample's group; train if there are none."""
    query = (
        "SELECT id FROM samples WHERE grouping <> '' "
        "AND grouping = (SELECT grouping FROM samples WHERE id = ?) ORDER BY id"
    )
    group = np.array([number for (number,) in database.all(query, (sample_id,))], np.int64)
    return kept_split(read_splits(database, group))


def kept_split(splits: np.ndarray) -> int:
    """The first of these (uint8 [B]) that is not REMOVED; train if there is none."""
    return next((int(split) for split in splits if split != REMOVED), int(Split.TRAIN))


def _write(database: Database, ids: np.ndarray, after: np.ndarray, *, verb: str) -> Accepted:
    if not len(ids):
        return Accepted(0, ids, None)
    writer = StepWriter(database, f"{verb} {len(ids):,} face{'' if len(ids) == 1 else 's'}")
    writer.write_splits(ids, read_splits(database, ids), after)
    writer.finish()
    return Accepted(0, ids, writer.id)
