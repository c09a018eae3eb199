"""Stored predictions, one row per sample and run."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Labels
from training.storage.project.database import Database
from training.storage.project.guard import guarded
from training.storage.project.tables.label_table import BLOCK, blocks, read_labels

SHIFT = 40  # key = run << SHIFT | sample id


@dataclass(frozen=True)
class Predictions:
    """A run's predictions for B samples.

    points: float32 [B, K, 2], image px, NaN if missing. confidences: float32 [B, K] in 0..1, NaN if missing.
    """

    points: np.ndarray
    confidences: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    @property
    def present(self) -> np.ndarray:
        """bool [B, K]: where there is a predicted point."""
        return np.isfinite(self.points).all(axis=-1)


@guarded
def run_key(database: Database, run: str) -> int | None:
    """The number of `run` in the table of predictions; None if it has none."""
    row = database.one("SELECT id FROM prediction_runs WHERE name = ?", (run,))
    return None if row is None else int(row[0])


@guarded
def prediction_runs(database: Database) -> list[str]:
    """Names of the runs that have predictions, oldest first."""
    return [name for (name,) in database.all("SELECT name FROM prediction_runs ORDER BY id")]


@guarded
def write_predictions(
    database: Database, run: str, ids: np.ndarray, points: np.ndarray, confidences: np.ndarray
) -> None:
    """Store a run's points [B, K, 2] and confidences [B, K], within the caller's transaction, replacing older ones."""
    if not len(ids) == len(points) == len(confidences):
        raise ValueError("ids, points and confidences differ in length")
    database.sql.execute("INSERT OR IGNORE INTO prediction_runs (name) VALUES (?)", (run,))
    key = (run_key(database, run) or 0) << SHIFT
    keypoints = confidences.shape[1]
    raw = np.concatenate(
        [np.asarray(points, "<f4").reshape(len(ids), 2 * keypoints), np.asarray(confidences, "<f4")], axis=1
    )
    size, data = keypoints * 12, np.ascontiguousarray(raw).tobytes()
    rows = ((key | sample, data[n * size : (n + 1) * size]) for n, sample in enumerate(ids.tolist()))
    database.sql.executemany("INSERT OR REPLACE INTO predictions VALUES (?, ?)", rows)


@guarded
def read_predictions(database: Database, run: str, ids: np.ndarray, keypoints: int) -> Predictions:
    """A run's predictions for `ids`, in that order; NaN where it has none."""
    values = np.full((len(ids), 3 * keypoints), np.nan, np.float32)
    key = run_key(database, run)
    if key is not None:
        found = _rows(database, key << SHIFT, ids)
        where = [n for n, sample in enumerate(ids.tolist()) if sample in found]
        raw = b"".join([found[int(ids[n])] for n in where])
        if len(raw) != len(where) * keypoints * 12:
            raise UserError(f"The predictions of {run} do not have {keypoints} keypoints. Predict again with this run.")
        values[where] = np.frombuffer(raw, "<f4").reshape(len(where), 3 * keypoints)
    split = 2 * keypoints
    return Predictions(values[:, :split].reshape(len(ids), keypoints, 2), np.ascontiguousarray(values[:, split:]))


def _rows(database: Database, base: int, ids: np.ndarray) -> dict[int, bytes]:
    """sample id -> bytes, of the existing rows."""
    mask = (1 << SHIFT) - 1
    if len(ids) and ids[-1] - ids[0] + 1 == len(ids) and (np.diff(ids) == 1).all():
        query = "SELECT key, data FROM predictions WHERE key BETWEEN ? AND ?"
        return {k & mask: d for k, d in database.all(query, (base | int(ids[0]), base | int(ids[-1])))}
    found: dict[int, bytes] = {}
    query = "SELECT key, data FROM predictions WHERE key IN (SELECT value FROM json_each(?))"
    for first in range(0, len(ids), BLOCK):
        keys = json.dumps([base | i for i in ids[first : first + BLOCK].tolist()])
        found.update((k & mask, d) for k, d in database.all(query, (keys,)))
    return found


@guarded
def predicted_ids(database: Database, run: str) -> np.ndarray:
    """Ids of the samples for which `run` has predictions, int64, ascending."""
    key = run_key(database, run)
    if key is None:
        return np.zeros(0, np.int64)
    query = "SELECT key FROM predictions WHERE key BETWEEN ? AND ?"
    keys = database.column(query, (key << SHIFT, (key + 1 << SHIFT) - 1))
    return keys & ((1 << SHIFT) - 1)


def delete_predictions(database: Database, run: str) -> None:
    """Delete all predictions of a run."""
    with database.transaction() as sql:
        key = run_key(database, run)
        if key is not None:
            sql.execute("DELETE FROM predictions WHERE key BETWEEN ? AND ?", (key << SHIFT, (key + 1 << SHIFT) - 1))
            sql.execute("DELETE FROM prediction_runs WHERE id = ?", (key,))


def drop_predictions(database: Database, sample_id: int) -> None:
    """Delete all runs' predictions for one sample, within the caller's transaction."""
    database.sql.execute(
        "DELETE FROM predictions WHERE key IN (SELECT id << ? | ? FROM prediction_runs)", (SHIFT, int(sample_id))
    )


@guarded
def run_columns(
    database: Database, run: str, keypoints: int, ids: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Per sample (`ids`, or all): mean error to its labels in px and mean confidence; float32 [N], NaN if undefined.

    Only labels from a person or the source count, since a run's own accepted points have no error.
    """
    parts = []
    for block in blocks(database, ids):
        labels = read_labels(database, block, keypoints)
        parts.append(sample_columns(labels, read_predictions(database, run, block, keypoints)))
    if not parts:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    return np.concatenate([e for e, _ in parts]), np.concatenate([c for _, c in parts])


def sample_columns(labels: Labels, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """(mean point error px, mean confidence) per sample; float32 [B], NaN where there is nothing to compare."""
    distances = np.linalg.norm(predictions.points - labels.points, axis=-1)  # [B, K]
    counted = labels.vouched & predictions.present
    return _mean(distances, counted), _mean(predictions.confidences, np.isfinite(predictions.confidences))


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    count = where.sum(axis=1)
    total = np.where(where, values, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
