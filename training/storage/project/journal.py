"""The journal of edits: the state before and after each step, so that undo and redo survive a restart.

A step stores the whole labels of the samples it touched, in parts of at most 4,096 samples, or their splits, in parts
with negative numbers. A step that changed a crop also has a part numbered CUT. Undo and redo write only the points that
differ between before and after. Steps are undone newest first; a new step discards undone ones.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Labels
from training.storage.project.database import Database
from training.storage.project.guard import guarded
from training.storage.project.tables.boxes import Cut, write_cut
from training.storage.project.tables.label_table import read_labels, write_labels
from training.storage.project.tables.labels_codec import pack, row_type, unpack
from training.storage.project.tables.packed_columns import sample_count, write_columns

PART = 4096
MAX_STEPS = 1000
MAX_BYTES = 256 << 20
ALWAYS_KEPT = 20
_LONGEST_CUT = 1 << 16  # bytes
CUT = -(1 << 30)  # number of the part with a face's crop before and after
State = tuple[int, int, int]


@dataclass(frozen=True)
class Step:
    """One undoable edit. text: for the undo menu. time: seconds since the epoch. samples: number of samples touched."""

    id: int
    text: str
    time: float
    undone: bool
    samples: int


class StepWriter:
    """Writes one step part by part, within the caller's transaction; `finish` records its size."""

    def __init__(self, database: Database, text: str) -> None:
        sql = database.sql
        sql.execute("DELETE FROM step_parts WHERE step IN (SELECT id FROM steps WHERE undone)")
        sql.execute("DELETE FROM steps WHERE undone")
        row = sql.execute(
            "INSERT INTO steps (time, text, undone, samples, bytes) VALUES (?, ?, 0, 0, 0)", (time.time(), text)
        )
        self.id = int(row.lastrowid or 0)
        self.samples = 0
        self._bytes, self._parts, self._database = 0, 0, database

    def write(self, ids: np.ndarray, before: Labels, after: Labels) -> None:
        """Change the labels of `ids` from before to after, and record both."""
        for first in range(0, len(ids), PART):
            part = slice(first, first + PART)
            self._part(ids[part], pack(before[part]), pack(after[part]))
        write_labels(self._database, ids, after)

    def write_splits(self, ids: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
        """Change the splits (uint8 [B]) of `ids` from before to after, and record both; such a step has no labels."""
        for first in range(0, len(ids), PART):
            part = slice(first, first + PART)
            self._part(ids[part], before[part], after[part], number=-1 - self._parts)
        write_columns(self._database, ids, splits=after)

    def write_cut(self, before: Cut, after: Cut) -> None:
        """Change a face's crop, and record both; the step also has the labels moved with it."""
        data = zlib.compress("\n".join((before.to_text(), after.to_text())).encode(), 1)
        self._database.sql.execute("INSERT INTO step_parts VALUES (?, ?, 1, ?)", (self.id, CUT, data))
        self._bytes += len(data)
        write_cut(self._database, after)

    def _part(self, ids: np.ndarray, before: np.ndarray, after: np.ndarray, *, number: int | None = None) -> None:
        data = _pack_part(ids, before, after)
        where = self._parts if number is None else number
        self._database.sql.execute("INSERT INTO step_parts VALUES (?, ?, ?, ?)", (self.id, where, len(ids), data))
        self._parts += 1
        self.samples += len(ids)
        self._bytes += len(data)

    def finish(self, text: str | None = None) -> None:
        """Record the size (and a final text), and prune the journal."""
        sql = self._database.sql
        values = (self.samples, self._bytes, text, self.id)
        sql.execute("UPDATE steps SET samples = ?, bytes = ?, text = coalesce(?, text) WHERE id = ?", values)
        _prune(self._database)


def _prune(database: Database) -> None:
    """Keep at most MAX_STEPS steps and MAX_BYTES bytes, but always the newest ALWAYS_KEPT steps."""
    rows = database.all("SELECT id, bytes FROM steps ORDER BY id DESC")
    total, keep = 0, 0
    for _, size in rows[:MAX_STEPS]:
        total += size
        if keep >= ALWAYS_KEPT and total > MAX_BYTES:
            break
        keep += 1
    if keep < len(rows):
        oldest = rows[keep - 1][0]
        database.sql.execute("DELETE FROM step_parts WHERE step < ?", (oldest,))
        database.sql.execute("DELETE FROM steps WHERE id < ?", (oldest,))


@guarded
def read_steps(database: Database) -> list[Step]:
    """All steps, oldest first."""
    rows = database.all("SELECT id, text, time, undone, samples FROM steps ORDER BY id")
    return [Step(i, text, when, bool(undone), samples) for i, text, when, undone, samples in rows]


@guarded
def oldest_step(database: Database) -> int:
    """The id of the oldest step; 0 if the journal is empty."""
    return int((database.one("SELECT min(id) FROM steps") or (0,))[0] or 0)


@guarded
def is_newest(database: Database, step: int) -> bool:
    """Whether the step is the last one written and is not undone."""
    return database.one("SELECT id, undone FROM steps ORDER BY id DESC LIMIT 1") == (step, 0)


@guarded
def journal_state(database: Database) -> State:
    """(number of samples, newest step, number of undone steps); changes with every edit, also by other programs."""
    newest, undone = database.one("SELECT max(id), sum(undone) FROM steps") or (0, 0)
    return sample_count(database), int(newest or 0), int(undone or 0)


def read_parts(database: Database, step: int, keypoints: int) -> Iterator[tuple[np.ndarray, Labels, Labels]]:
    """(ids, before, after) of each part. Raises UserError if the journal is damaged."""
    size = row_type(keypoints, model=True).itemsize
    parts = database.all("SELECT part FROM step_parts WHERE step = ? AND part >= 0 ORDER BY part", (step,))
    for n, (part,) in enumerate(parts):
        database.progress(n / len(parts), "")
        row = database.one("SELECT count, data FROM step_parts WHERE step = ? AND part = ?", (step, part))
        if row is None or not 0 < row[0] <= PART:
            raise UserError(f"The journal of edits in {database.folder} is damaged: this step cannot be undone.")
        count, data = row
        yield _unpack_part(database, data, count=count, row_size=size, keypoints=keypoints)


def read_split_parts(database: Database, step: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(ids, before, after) of each part with splits. Raises UserError if the journal is damaged."""
    rows = database.all(
        "SELECT count, data FROM step_parts WHERE step = ? AND part < 0 AND part > ? ORDER BY part DESC", (step, CUT)
    )
    for count, data in rows:
        raw = _inflated(database, data, count=count if 0 < count <= PART else 0, row_size=1)
        splits = np.frombuffer(raw, np.uint8, offset=count * 8)
        yield np.frombuffer(raw, "<i8", count).astype(np.int64), splits[:count], splits[count:]


@guarded
def read_step_cut(database: Database, step: int) -> tuple[Cut, Cut] | None:
    """A step's crop before and after; None if it changed none. Raises UserError if the journal is damaged."""
    row = database.one("SELECT data FROM step_parts WHERE step = ? AND part = ?", (step, CUT))
    if row is None:
        return None
    try:
        before, after = zlib.decompressobj().decompress(row[0], _LONGEST_CUT).decode().split("\n")
        return Cut.from_text(before), Cut.from_text(after)
    except (zlib.error, ValueError, TypeError) as error:
        raise UserError(f"The journal of edits in {database.folder} is damaged: this step cannot be undone.") from error


def _inflated(database: Database, data: bytes, *, count: int, row_size: int) -> bytes:
    expected = count * (8 + 2 * row_size)
    try:
        raw = zlib.decompressobj().decompress(data, expected + 1)
    except zlib.error:
        raw = b""
    if len(raw) != expected or not count:
        raise UserError(f"The journal of edits in {database.folder} is damaged: this step cannot be undone.")
    return raw


def _unpack_part(
    database: Database, data: bytes, *, count: int, row_size: int, keypoints: int
) -> tuple[np.ndarray, Labels, Labels]:
    raw = _inflated(database, data, count=count, row_size=row_size)
    rows = np.frombuffer(raw, row_type(keypoints, model=True), offset=count * 8)
    return np.frombuffer(raw, "<i8", count).astype(np.int64), unpack(rows[:count]), unpack(rows[count:])


@guarded
def move_step(database: Database, step: int, keypoints: int, *, undo: bool) -> np.ndarray:
    """Undo or redo a step, within the caller's transaction; returns the ids of the changed samples.

    Raises UserError unless it is the newest done step (for redo, the oldest undone one).
    """
    order = "SELECT max(id) FROM steps WHERE NOT undone" if undo else "SELECT min(id) FROM steps WHERE undone"
    row = database.one(order)
    if row is None or row[0] != step:
        raise UserError(
            "The labels were changed elsewhere in the meantime, so this step is not the next one. Nothing was changed."
        )
    touched = []
    for ids, before, after in read_parts(database, step, keypoints):
        _apply(database, ids, *((after, before) if undo else (before, after)))
        touched.append(ids)
    for ids, was, became in read_split_parts(database, step):
        write_columns(database, ids, splits=was if undo else became)
        touched.append(ids)
    cuts = read_step_cut(database, step)
    if cuts is not None:
        write_cut(database, cuts[0] if undo else cuts[1])
    database.sql.execute("UPDATE steps SET undone = ? WHERE id = ?", (int(undo), step))
    return np.concatenate(touched) if touched else np.zeros(0, np.int64)


@guarded
def amend_step(database: Database, step: int, ids: np.ndarray, after: Labels) -> None:
    """Replace the final labels of the newest step, within the caller's transaction; `ids` are those of the step.

    Raises UserError if it is not the newest step, or is undone.
    """
    parts = list(read_parts(database, step, after.states.shape[1])) if is_newest(database, step) else []
    if len(parts) != 1 or not np.array_equal(parts[0][0], ids):
        raise UserError("The labels were changed elsewhere in the meantime. Nothing was changed; try again.")
    data = _pack_part(ids, pack(parts[0][1]), pack(after))
    database.sql.execute("UPDATE step_parts SET data = ? WHERE step = ? AND part = 0", (data, step))
    write_labels(database, ids, after)


def _pack_part(ids: np.ndarray, before: np.ndarray, after: np.ndarray) -> bytes:
    return zlib.compress(ids.astype("<i8").tobytes() + before.tobytes() + after.tobytes(), 1)


def _apply(database: Database, ids: np.ndarray, now: Labels, then: Labels) -> None:
    """Set the points that differ between `now` and `then` to `then`; other points of the project stay unchanged."""
    differ = pack_points(now) != pack_points(then)
    labels = read_labels(database, ids, differ.shape[1])
    for name in ("points", "states", "origins", "runs", "confidences"):
        getattr(labels, name)[differ] = getattr(then, name)[differ]
    write_labels(database, ids, labels)


def pack_points(labels: Labels) -> np.ndarray:
    """Each point with its state and provenance as comparable bytes, [B, K]; NaNs compare equal."""
    kind = np.dtype(
        [("points", "<f8", 2), ("states", "u1"), ("origins", "u1"), ("runs", "<i4"), ("confidences", "<f4")]
    )
    rows = np.zeros(labels.states.shape, kind)
    for name in kind.names or ():
        values = getattr(labels, name)
        rows[name] = np.where(np.isnan(values), np.nan, values) if values.dtype.kind == "f" else values
    return rows.view(f"V{kind.itemsize}")
