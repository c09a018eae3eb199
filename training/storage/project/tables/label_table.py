"""Reads and writes the table of labels by sample id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Labels, PointState
from training.storage.project.database import Database
from training.storage.project.guard import guarded
from training.storage.project.tables.labels_codec import decode, encode
from training.storage.project.tables.packed_columns import kept_ids, missing_counts, review_counts, write_columns

BLOCK = 16384


def as_ids(ids: Sequence[int] | np.ndarray) -> np.ndarray:
    """int64 [B]."""
    return np.asarray(ids, np.int64).reshape(-1)


@guarded
def read_labels(database: Database, ids: np.ndarray, keypoints: int) -> Labels:
    """The labels of the samples `ids`, in their order (an id may come twice). Raises UserError for an unknown id."""
    if len(ids) == 1:
        row = database.one("SELECT data FROM labels WHERE id = ?", (int(ids[0]),))
        if row is None:
            raise UserError(f"There is no sample number {ids[0]} in {database.folder}.")
        return decode([row[0]], keypoints)
    return decode(blobs_by_id(database, "labels", "id", ids), keypoints)


@guarded
def blobs_by_id(database: Database, table: str, key: str, ids: np.ndarray) -> list[bytes]:
    """The column `data` of the rows `ids` of a table, in that order. Raises UserError for an unknown id."""
    found: dict[int, bytes] = {}
    if len(ids) and ids[-1] - ids[0] + 1 == len(ids) and (np.diff(ids) == 1).all():
        query = f"SELECT {key}, data FROM {table} WHERE {key} BETWEEN ? AND ?"
        found.update(database.all(query, (int(ids[0]), int(ids[-1]))))
    else:
        query = f"SELECT {key}, data FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))"
        for first in range(0, len(ids), BLOCK):
            found.update(database.all(query, (json.dumps(ids[first : first + BLOCK].tolist()),)))
    try:
        return [found[i] for i in ids.tolist()]
    except KeyError as error:
        raise UserError(f"There is no sample number {error} in {database.folder}.") from None


@guarded
def write_labels(database: Database, ids: np.ndarray, labels: Labels) -> None:
    """Replace the labels of `ids`, and the columns counted from them, within the caller's transaction."""
    rows = zip(encode(labels), ids.tolist(), strict=True)
    cursor = database.sql.executemany("UPDATE labels SET data = ? WHERE id = ?", rows)
    if cursor.rowcount != len(ids):
        raise UserError(f"Some of these samples are not in {database.folder}. Nothing was changed.")
    write_columns(database, ids, missing=missing_counts(labels), to_review=review_counts(labels))


def blocks(database: Database, ids: np.ndarray | None) -> Iterator[np.ndarray]:
    """`ids` (None: all samples not removed) in blocks that fit in memory; calls the database's progress in between."""
    every = kept_ids(database) if ids is None else ids
    for first in range(0, len(every), BLOCK):
        database.progress(first / len(every), "")
        yield every[first : first + BLOCK]


@guarded
def label_hash(database: Database, keypoints: int, *, more: str = "") -> str:
    """Hash of all points and states, independent of their provenance. more: hashed as well."""
    digest = hashlib.sha256(more.encode())
    for ids in blocks(database, None):
        digest.update(hash_bytes(read_labels(database, ids, keypoints)))
    return digest.hexdigest()[:16]


def hash_bytes(labels: Labels) -> bytes:
    """Points (a canonical NaN if unset) and states as bytes."""
    points = np.where(labels.mask[..., None], labels.points, np.nan).astype("<f8")
    return points.tobytes() + labels.states.astype("u1").tobytes()


@guarded
def label_table(database: Database, keypoints: int) -> np.ndarray:
    """The number of samples per keypoint and state: int64 [K, 4], columns by PointState (Table 1 of the papers)."""
    counts = np.zeros((keypoints, len(PointState)), np.int64)
    for ids in blocks(database, None):
        states = read_labels(database, ids, keypoints).states
        counts += np.stack([(states == state).sum(axis=0) for state in PointState], axis=1)
    return counts
