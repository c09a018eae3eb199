"""Compact columns of all samples, packed 1,024 samples per database row for fast reading.

Sample ids are 1, 2, 3... in order of import and never change: id - 1 is the sample's row in every array here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Labels, Origin
from training.storage.project.database import Database
from training.storage.project.guard import guarded

CHUNK = 1024
_MANY = 10_000_000  # samples, whose columns are no burden if they do not exist
_PER_PAGE = 400  # samples in a page of the database, at most
SPLITS = ("train", "val", "test")
REMOVED = 3  # stored instead of a split for removed samples, see training.storage.project.edits.remove
_FIRST = "first_splits"  # key in meta: digest of the splits before the first move
ROW = np.dtype(
    [
        ("missing", "<u2"),
        ("to_review", "<u2"),
        ("widths", "<u2"),
        ("heights", "<u2"),
        ("splits", "u1"),
        ("flagged", "?"),
    ]
)


@dataclass(frozen=True)
class SampleIndex:
    """Columns over all N samples in order of import (`ids` ascends from 1).

    missing: number of UNSET points. to_review: number of unconfirmed model points. splits: 0 train, 1 val, 2 test, 3
    removed.
    """

    ids: np.ndarray  # int64 [N]
    missing: np.ndarray  # uint16 [N]
    to_review: np.ndarray  # uint16 [N]
    widths: np.ndarray  # uint16 [N], px
    heights: np.ndarray  # uint16 [N], px
    splits: np.ndarray  # uint8 [N]
    flagged: np.ndarray  # bool [N]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def kept(self) -> np.ndarray:
        """bool [N]: the samples that have not been removed."""
        return self.splits != REMOVED


def missing_counts(labels: Labels) -> np.ndarray:
    """uint16 [B]: the number of UNSET points per sample."""
    return labels.missing.sum(axis=1).astype(np.uint16)


def review_counts(labels: Labels) -> np.ndarray:
    """uint16 [B]: the number of points per sample that a model placed."""
    return (labels.origins == Origin.MODEL).sum(axis=1).astype(np.uint16)


@guarded
def sample_count(database: Database) -> int:
    """The number of samples, including removed ones."""
    row = database.one("SELECT max(id) FROM samples")
    count = int(row[0] or 0) if row else 0
    if count > _MANY and count > _PER_PAGE * int((database.one("PRAGMA page_count") or (0,))[0]):
        raise UserError(f"The project {database.folder} is damaged: it has fewer samples than it says.")
    return count


@guarded
def read_index(database: Database) -> SampleIndex:
    """All columns. About 20 ms for a million samples."""
    count = sample_count(database)
    rows = read_rows(database, 0, count)
    return SampleIndex(
        ids=np.arange(1, count + 1, dtype=np.int64),
        **{name: np.ascontiguousarray(rows[name]) for name in ROW.names or ()},
    )


@guarded
def read_rows(database: Database, first: int, end: int) -> np.ndarray:
    """The packed rows [end - first] of the samples first <= row < end (row is id - 1)."""
    low, high = first // CHUNK, -(-end // CHUNK)
    blobs = database.all("SELECT data FROM columns WHERE chunk >= ? AND chunk < ? ORDER BY chunk", (low, high))
    raw = b"".join(blob for (blob,) in blobs)
    if len(raw) != (high - low) * CHUNK * ROW.itemsize:
        raise UserError(f"The project {database.folder} is damaged: its table of samples has gaps.")
    rows = np.frombuffer(raw, ROW)[first - low * CHUNK : end - low * CHUNK]
    if rows["splits"].max(initial=0) > REMOVED:
        raise UserError(f"The project {database.folder} is damaged: a sample is in a split that does not exist.")
    return rows


@guarded
def read_splits(database: Database, ids: np.ndarray) -> np.ndarray:
    """The splits of the samples `ids`, uint8 [B]; reads only their chunks."""
    return np.ascontiguousarray(_rows_of(database, ids)["splits"])


@guarded
def read_sizes(database: Database, ids: np.ndarray) -> np.ndarray:
    """Width and height of the samples `ids`, float64 [B, 2], px; reads only their chunks."""
    rows = _rows_of(database, ids)
    return np.stack([rows["widths"], rows["heights"]], axis=-1).astype(np.float64)


def _rows_of(database: Database, ids: np.ndarray) -> np.ndarray:
    """The packed rows [B] of these samples."""
    rows = np.asarray(ids, np.int64) - 1
    chunks, which = np.unique(rows // CHUNK, return_inverse=True)
    parts = [read_rows(database, chunk * CHUNK, (chunk + 1) * CHUNK) for chunk in chunks.tolist()]
    return np.stack(parts)[which, rows % CHUNK] if len(rows) else np.zeros(0, ROW)


def split_word(split: int) -> str:
    """`train`, `val`, `test` or `removed`."""
    return (*SPLITS, "removed")[min(split, REMOVED)]


@guarded
def kept_ids(database: Database) -> np.ndarray:
    """int64, ascending: the ids of all samples that have not been removed."""
    return np.flatnonzero(read_rows(database, 0, sample_count(database))["splits"] != REMOVED) + 1


@guarded
def write_columns(database: Database, ids: np.ndarray, **columns: Any) -> None:
    """Set some columns of the samples `ids`, within the caller's transaction; new chunks are filled with zeros."""
    rows = np.asarray(ids, np.int64) - 1
    order = np.argsort(rows // CHUNK, kind="stable")
    chunks, starts = np.unique((rows // CHUNK)[order], return_index=True)
    for chunk, where in zip(chunks.tolist(), np.split(order, starts[1:]), strict=True):
        row = database.one("SELECT data FROM columns WHERE chunk = ?", (chunk,))
        data = np.zeros(CHUNK, ROW) if row is None else np.frombuffer(row[0], ROW).copy()
        for name, values in columns.items():
            data[name][rows[where] - chunk * CHUNK] = np.asarray(values)[where]
        database.sql.execute("INSERT OR REPLACE INTO columns VALUES (?, ?)", (chunk, data.tobytes()))


@guarded
def note_first_splits(database: Database) -> None:
    """Record the splits before the first move, within the caller's transaction; later calls do nothing."""
    if database.one("SELECT value FROM meta WHERE key = ?", (_FIRST,)) is None:
        database.sql.execute("INSERT INTO meta VALUES (?, ?)", (_FIRST, _digest(database)))


@guarded
def moved_splits(database: Database) -> str:
    """A digest of the splits if they differ from the original ones, else ""."""
    first = database.one("SELECT value FROM meta WHERE key = ?", (_FIRST,))
    now = "" if first is None else _digest(database)
    return "" if first is None or first[0] == now else now


def _digest(database: Database) -> str:
    index = read_index(database)
    return hashlib.sha256(index.splits[index.kept].tobytes()).hexdigest()[:16]
