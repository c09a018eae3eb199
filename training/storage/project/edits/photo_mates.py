"""Adds new faces of a photo to the group and split of its other faces, so that a photo is never divided by a split."""

from __future__ import annotations

import json

import numpy as np

from training.storage.project.columns import read_splits, write_columns
from training.storage.project.database import Database
from training.storage.project.edits.remove import kept_split
from training.storage.project.new_samples import write_groups


def join_photo(database: Database, sample_id: int, others: np.ndarray) -> None:
    """Give a sample the group and the split of `others` (int64 [B], of the same photo), within the caller's
    transaction.

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
    write_columns(database, ids[-1:], splits=[kept_split(read_splits(database, others))])
