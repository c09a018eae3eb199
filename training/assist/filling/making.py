"""Fits a fill model for a run that has none, from its predictions on val."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from training.assist.filling.model import FillModel, fit_fill
from training.assist.filling.of_run import run_fill
from training.errors import UserError
from training.storage.project.columns import read_sizes
from training.storage.project.project import Project
from training.storage.runs.folder import is_running
from training.storage.runs.inputs.data import MAX_VAL, spread_rows
from training.storage.runs.model.stored_predictions import lacking
from training.storage.runs.run import Run

VAL = 1


def make_fill(project: Project, run: Run) -> FillModel | None:
    """The run's fill model, fitted and saved beside the run if there is none yet.

    None while the run is training, or if its current model has predicted too few labelled val faces. Raises UserError
    if the file is damaged.
    """
    found = run_fill(run)
    if found is not None or is_running(run):
        return found
    ids = project.ids()
    val = spread_rows(ids[project.index().splits == VAL], MAX_VAL)
    if not len(val) or len(lacking(project, run, val)):
        return None
    labels, predictions = project.labels(val), project.predictions(run.name, val)
    fill = fit_fill(predictions.points.astype(np.float64), labels.vouched_points, read_sizes(project.database, val))
    if fill is not None:
        with suppress(UserError):  # read-only folder: refitted each time
            fill.save(run.fill)
    return fill
