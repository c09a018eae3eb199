"""Accepting predictions as labels, and undoing that: block by block, in one transaction and one step of the journal.

Accepting fills only points that are UNSET; labels from a person or the source are never replaced. With a fill model,
predictions are conditioned on the existing labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.assist.filling.given import given_labels
from training.assist.filling.model import FillModel
from training.faces.labels.labels import Labels, Origin, PointState
from training.faces.labels.run_names import run_number
from training.faces.labels.samples import FLAG_NO_FACE
from training.storage.project.columns import kept_ids, read_sizes
from training.storage.project.database import Database
from training.storage.project.journal import StepWriter
from training.storage.project.label_table import blocks, read_labels
from training.storage.project.predictions import Predictions, read_predictions


@dataclass(frozen=True)
class Accepted:
    """What was changed: `points` points of the samples `ids`. step: of the journal, None if nothing changed."""

    points: int
    ids: np.ndarray
    step: int | None


def to_fill(
    labels: Labels, predictions: Predictions, *, keypoints: Sequence[int] | None = None, min_confidence: float = 0.0
) -> np.ndarray:
    """bool [B, K]: the points that accepting fills: unset, predicted, and at least `min_confidence`."""
    fill = labels.missing & predictions.present
    if min_confidence > 0:
        fill &= predictions.confidences >= min_confidence  # False for NaN
    if keypoints is not None:
        wanted = np.zeros(fill.shape[1], bool)
        wanted[list(keypoints)] = True
        fill &= wanted
    return fill


def fill_labels(labels: Labels, predictions: Predictions, where: np.ndarray, *, number: int) -> Labels:
    """`labels` with the points `where` [B, K] taken from the predictions of run `number`."""
    filled = labels.copy()
    filled.points[where] = predictions.points[where]
    filled.states[where] = PointState.VISIBLE
    filled.origins[where] = Origin.MODEL
    filled.runs[where] = number
    filled.confidences[where] = predictions.confidences[where]
    return filled


def read_given(
    database: Database, run: str, ids: np.ndarray, keypoints: int, *, fill: FillModel | None = None
) -> tuple[Labels, Predictions]:
    """The labels of `ids` and a run's predictions, conditioned on these labels if there is a fill model."""
    labels, predictions = read_labels(database, ids, keypoints), read_predictions(database, run, ids, keypoints)
    if fill is None:
        return labels, predictions
    return labels, given_labels(fill, labels, predictions, read_sizes(database, ids))[0]


def fillable_ids(database: Database) -> np.ndarray:
    """int64, ascending: all samples except removed ones and photos without a detected face."""
    faceless = database.all("SELECT id FROM samples WHERE flags <> '' AND instr(flags, ?)", (f'"{FLAG_NO_FACE}"',))
    return np.setdiff1d(kept_ids(database), np.array([number for (number,) in faceless], np.int64))


def accept(
    database: Database,
    run: str,
    ids: np.ndarray | None,
    schema_size: int,
    *,
    keypoints: Sequence[int] | None = None,
    min_confidence: float = 0.0,
    fill: FillModel | None = None,
    text: str | None = None,
) -> Accepted:
    """Fill the unset points of `ids` (None: `fillable_ids`) from a run's predictions, in one transaction and step."""
    number = run_number(run)

    def changes() -> Iterator[tuple[np.ndarray, Labels, Labels, np.ndarray]]:
        for block in blocks(database, fillable_ids(database) if ids is None else ids):
            labels, predictions = read_given(database, run, block, schema_size, fill=fill)
            where = to_fill(labels, predictions, keypoints=keypoints, min_confidence=min_confidence)
            yield block, labels, fill_labels(labels, predictions, where, number=number), where

    return write_changes(database, changes(), text=text, verb="accept", ending=f" of {run}")


def take_back(database: Database, run: str, keypoints: int) -> Accepted:
    """Unset every point that was accepted from `run`, in one transaction and step."""
    number = run_number(run)

    def changes() -> Iterator[tuple[np.ndarray, Labels, Labels, np.ndarray]]:
        for block in blocks(database, None):
            labels = read_labels(database, block, keypoints)
            where = (labels.origins == Origin.MODEL) & (labels.runs == number)
            yield block, labels, cleared(labels, where), where

    return write_changes(database, changes(), text=None, verb="take back", ending=f" of {run}")


def cleared(labels: Labels, where: np.ndarray) -> Labels:
    """`labels` with the points `where` [B, K] unset."""
    result, empty = labels.copy(), Labels.empty(1, labels.states.shape[1])
    for name in ("points", "states", "origins", "runs", "confidences"):
        values = getattr(result, name)
        values[where] = np.broadcast_to(getattr(empty, name), values.shape)[where]
    return result


def write_changes(
    database: Database,
    changes: Iterator[tuple[np.ndarray, Labels, Labels, np.ndarray]],
    *,
    text: str | None,
    verb: str,
    ending: str,
) -> Accepted:
    """Write (ids, before, after, changed points [B, K]) as one step, described by `text` or verb, counts and ending."""
    touched, points, writer = [np.zeros(0, np.int64)], 0, None
    with database.transaction():
        for ids, before, after, where in changes:
            rows = np.flatnonzero(where.any(axis=1))
            if not len(rows):
                continue
            writer = writer or StepWriter(database, text or verb)
            writer.write(ids[rows], before[rows], after[rows])
            points += int(where.sum())
            touched.append(ids[rows])
        ids = np.concatenate(touched)
        if writer is not None:
            writer.finish(text or f"{verb} {_count(points, 'point')} in {_count(len(ids), 'face')}{ending}")
    return Accepted(points, ids, writer.id if writer else None)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
