"""Removes faces, such as false detections, from a project, and puts them back.

A removed sample keeps its id, image and labels, with REMOVED instead of its split, so it is not trained on, measured,
exported or shown until it is restored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from training.faces.labels.samples import Split
from training.storage.project.database import Database
from training.storage.project.edits.step import Edited
from training.storage.project.journal import StepWriter
from training.storage.project.new_samples import write_groups
from training.storage.project.project import Project
from training.storage.project.tables.label_table import as_ids
from training.storage.project.tables.packed_columns import REMOVED, read_splits, write_columns
from training.words import counted


def remove(project: Project, ids: Sequence[int] | np.ndarray) -> Edited:
    """Remove samples; those already removed are ignored."""
    ids = as_ids(ids)
    with project.database.transaction():
        kept = ids[project.splits(ids) != REMOVED]
        return _write(project, kept, np.full(len(kept), REMOVED, np.uint8), verb="remove")


def put_back(project: Project, ids: Sequence[int] | np.ndarray) -> Edited:
    """Restore removed samples, each into the split of the others in its group, else into train."""
    ids = as_ids(ids)
    with project.database.transaction():
        gone = ids[project.splits(ids) == REMOVED]
        after = np.array([_split_of_group(project.database, i) for i in gone.tolist()], np.uint8)
        return _write(project, gone, after, verb="put back")


def join_photo(database: Database, sample_id: int, others: np.ndarray) -> None:
    """Give a sample the group and the split of `others` (int64 [B], of the same photo), within the caller's
    transaction, so that a photo is never divided by a split.

    If these have no group, a new one is created for all of them.
    """
    rows = database.all(
        "SELECT id, name, grouping FROM samples WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (json.dumps(others.tolist()),),
    )
    group = next((group for *_, group in rows if group), f"photo {rows[0][1]}")
    alone = [number for number, _, own in rows if not own]
    ids = np.array([*alone, sample_id], np.int64)
    write_groups(database, ids, [group] * len(ids))
    write_columns(database, ids[-1:], splits=[_kept_split(read_splits(database, others))])


def _split_of_group(database: Database, sample_id: int) -> int:
    """The split of the other samples of this one's group that are not removed; train where there is none."""
    query = (
        "SELECT id FROM samples WHERE grouping <> '' "
        "AND grouping = (SELECT grouping FROM samples WHERE id = ?) ORDER BY id"
    )
    return _kept_split(read_splits(database, database.column(query, (sample_id,))))


def _kept_split(splits: np.ndarray) -> int:
    """The first of these (uint8 [B]) that is not REMOVED; train if there is none."""
    return next((int(split) for split in splits if split != REMOVED), int(Split.TRAIN))


def _write(project: Project, ids: np.ndarray, after: np.ndarray, *, verb: str) -> Edited:
    if not len(ids):
        return Edited(0, ids, None)
    writer = StepWriter(project.database, f"{verb} {counted(len(ids), 'face')}")
    writer.write_splits(ids, project.splits(ids), after)
    writer.finish()
    return Edited(0, ids, writer.id)
