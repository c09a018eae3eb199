"""Loads and caches the fill model of a run; fits one, from its predictions on val, for a run that has none."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

from training.assist.filling.model import FillModel, fit_fill
from training.errors import UserError
from training.faces.labels.splits import spread_rows
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import read_sizes
from training.storage.runs.folder import is_running
from training.storage.runs.inputs.data import MAX_VAL
from training.storage.runs.model.prediction_stamp import lacking
from training.storage.runs.run import Run

VAL = 1


def run_fill(run: Run) -> FillModel | None:
    """The run's fill model; None if there is none.

    Cached until the file changes. Raises UserError if it is damaged.
    """
    path = run.fill
    try:
        status = path.stat()
    except OSError:
        return None
    return _loaded(path, status.st_mtime_ns, status.st_size)


def usable_fill(run: Run, *, keypoints: int) -> FillModel | None:
    """As `run_fill`, but None also if it is damaged or has a different number of keypoints."""
    with suppress(UserError):
        fill = run_fill(run)
        return fill if fill is not None and fill.keypoints == keypoints else None
    return None


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


@lru_cache(maxsize=8)
def _loaded(path: Path, _modified: int, _size: int) -> FillModel:
    return FillModel.load(path)
