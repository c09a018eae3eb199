"""Tracks which model file a run's stored predictions come from, since training and resuming replace it."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from training.errors import UserError
from training.files.replacing import replacing
from training.storage.project.project import Project
from training.storage.project.tables.predictions import predicted_ids
from training.storage.runs.folder import load_config
from training.storage.runs.model.adjustment import adjust_stamp, read_adjustment
from training.storage.runs.model.starters import starters
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig


def model_stamp(run: Run) -> str:
    """Distinguishes a run's model file and adjustment from later ones; "" if there is no model."""
    try:
        status = run.model.stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns}-{status.st_size}{adjust_stamp(run)}"


def lacking(project: Project, run: Run, ids: np.ndarray) -> np.ndarray:
    """The samples to predict so that all of `ids` have predictions by the run's current model.

    Includes samples outside `ids` whose stored predictions are by an older model.
    """
    stored = predicted_ids(project.database, run.name)
    stamp = model_stamp(run)
    if stamp and len(stored) and stamp != stored_stamp(run):
        return np.union1d(stored, ids)
    return np.setdiff1d(ids, stored)


def note_predicted(run: Run, stamp: str) -> None:
    """Record beside the run that all stored predictions are by the model with this stamp."""
    # with a read-only or removed run folder, the only cost is predicting again next time
    with suppress(UserError), replacing(run.stamp) as file:
        file.write(stamp.encode())


def stored_stamp(run: Run) -> str:
    """The stamp of the model that all stored predictions are by; "" where they are incomplete."""
    try:
        return run.stamp.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def is_predicted(project: Project, run: Run) -> bool:
    """Whether all samples that are not removed have predictions by the run's current model."""
    return bool(model_stamp(run)) and not len(lacking(project, run, project.kept_ids()))


class NotPredictedError(UserError):
    """Some of the requested faces have no prediction by the run's current model."""


def raw_predictions(project: Project, run: Run, ids: np.ndarray) -> np.ndarray:
    """Stored points float64 [B, K, 2], px of the images, of the bare model: without the adjustment in use.

    Raises NotPredictedError where some are not predicted by the run's current model.
    """
    if not model_stamp(run) or len(lacking(project, run, ids)):
        raise NotPredictedError(f"{run.name} has not predicted all faces yet; predict all faces first.")
    points = project.predictions(run.name, ids).points.astype(np.float64)
    adjustment = read_adjustment(run, keypoints=len(project.schema))
    if adjustment is None:
        return points
    index = project.index()
    sizes = np.stack([index.widths, index.heights], axis=1)[ids - 1]
    return points - adjustment.in_images(sizes, model_config(run).network.input_size)


def model_config(run: Run) -> RunConfig:
    """The settings of a run, or of a starter given by its path. Raises UserError."""
    if not run.is_starter:
        return load_config(run)
    found = [starter.config for starter in starters() if starter.name == run.name]
    if not found:
        raise UserError(f"The starter model {run.name} is missing; install FKP Studio again.")
    return found[0]
