"""Accepts predictions as labels: an edit like those of `training.storage.project.edits`, with the run's fill model.

Accepting fills only points that are UNSET; labels from a person or the source are never replaced. With a fill model,
predictions are conditioned on the existing labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from training.assist.filling.fill_of_run import usable_fill
from training.assist.filling.model import FillModel, given_labels
from training.faces.labels.labels import Labels, Origin, PointState
from training.faces.labels.run_names import run_number
from training.storage.project.edits.step import Change, Edited, write_changes
from training.storage.project.project import Project
from training.storage.project.tables.label_table import as_ids, blocks
from training.storage.project.tables.packed_columns import kept_ids, read_sizes
from training.storage.project.tables.predictions import Predictions
from training.storage.project.tables.samples import faceless_ids
from training.storage.runs.run import Run


def accept(
    project: Project,
    run: str,
    ids: Sequence[int] | np.ndarray | None = None,
    *,
    keypoints: Sequence[int] | None = None,
    min_confidence: float = 0.0,
    plain: bool = False,
) -> Edited:
    """Fill the unset points of `ids` (None: `fillable_ids`) from a run's predictions.

    If the run has a fill model, the predictions are conditioned on the labels, unless `plain`.
    """
    number, fill = run_number(run), None if plain else fill_of(project, run)

    def changes() -> Iterator[Change]:
        for block in blocks(project.database, fillable_ids(project) if ids is None else as_ids(ids)):
            labels, predictions = read_given(project, run, block, fill=fill)
            where = to_fill(labels, predictions, keypoints=keypoints, min_confidence=min_confidence)
            yield block, labels, fill_labels(labels, predictions, where, number=number), where

    return write_changes(project, changes(), verb="accept", ending=f" of {run}")


def fill_of(project: Project, run: str) -> FillModel | None:
    """The fill model that accepting from `run` uses."""
    return usable_fill(Run(project.runs_dir / run), keypoints=len(project.schema))


def fillable_ids(project: Project) -> np.ndarray:
    """int64, ascending: all samples except removed ones and photos without a detected face."""
    return np.setdiff1d(kept_ids(project.database), faceless_ids(project.database))


def read_given(
    project: Project, run: str, ids: np.ndarray, *, fill: FillModel | None = None
) -> tuple[Labels, Predictions]:
    """The labels of `ids` and a run's predictions, conditioned on these labels if there is a fill model."""
    labels, predictions = project.labels(ids), project.predictions(run, ids)
    if fill is None:
        return labels, predictions
    return labels, given_labels(fill, labels, predictions, read_sizes(project.database, ids))[0]


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
