"""Which model the stored predictions of a run are by: one in training, or resumed, gets better models."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.faces.labels.run_names import is_starter
from training.files import replacing
from training.storage.project.project import Project
from training.storage.runs.folder import load_config, model_file
from training.storage.runs.model.adjustment import adjust_stamp, read_adjustment
from training.storage.runs.model.starters import starters
from training.storage.runs.settings.config import RunConfig

STAMP = "predicted"  # file in the run folder (of a starter beside it): the model that all stored predictions are by


def model_stamp(run_dir: Path) -> str:
    """Tells one model file of a run, and its adjustment, from a later one; "" while there is no model."""
    try:
        status = model_file(run_dir).stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns}-{status.st_size}{adjust_stamp(run_dir)}"


def lacking(project: Project, run_dir: Path, ids: np.ndarray) -> np.ndarray:
    """The samples to predict so that all of `ids` have predictions of the run's present model.

    Where the stored ones are by an earlier model, they are among these too, whether in `ids` or not.
    """
    stored = project.predicted_ids(run_dir.name)
    stamp = model_stamp(run_dir)
    if stamp and len(stored) and stamp != stored_stamp(run_dir):
        return np.union1d(stored, ids)
    return np.setdiff1d(ids, stored)


def note_predicted(run_dir: Path, stamp: str) -> None:
    """Remember beside the run that all stored predictions are by the model of this stamp."""
    # a read-only or removed run folder: it costs no more than predicting again next time
    with suppress(UserError), replacing(_stamp_path(run_dir)) as file:
        file.write(stamp.encode())


def stored_stamp(run_dir: Path) -> str:
    """The stamp of the model that all stored predictions are by; "" where they are not all there."""
    try:
        return _stamp_path(run_dir).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def is_predicted(project: Project, run_dir: Path) -> bool:
    """Whether all samples that nobody has removed have predictions of the run's present model."""
    return bool(model_stamp(run_dir)) and not len(lacking(project, run_dir, project.kept_ids()))


class NotPredictedError(UserError):
    """Not all faces that are asked for have a prediction by the run's present model."""


def raw_predictions(project: Project, run_dir: Path, ids: np.ndarray) -> np.ndarray:
    """Stored points float64 [B, K, 2], px of the pictures, as the model itself gives them: without the adjustment in use.

    Raises NotPredictedError where not all of them are predicted by the run's present model.
    """
    if not model_stamp(run_dir) or len(lacking(project, run_dir, ids)):
        raise NotPredictedError(f"Not all faces are predicted with {run_dir.name} yet: predict all faces first.")
    points = project.predictions(run_dir.name, ids).points.astype(np.float64)
    adjustment = read_adjustment(run_dir, keypoints=len(project.schema))
    if adjustment is None:
        return points
    index = project.index()
    sizes = np.stack([index.widths, index.heights], axis=1)[ids - 1]
    return points - adjustment.in_pictures(sizes, model_config(run_dir).input_size)


def model_config(run_dir: Path) -> RunConfig:
    """The settings of a run, or of a starter by the path that stands for it. Raises UserError."""
    if not is_starter(run_dir.name):
        return load_config(run_dir)
    found = [starter.config for starter in starters() if starter.name == run_dir.name]
    if not found:
        raise UserError(f"The starter model {run_dir.name} is not there; install FKP Studio again.")
    return found[0]


def _stamp_path(run_dir: Path) -> Path:
    """A starter has no folder in the project: its note is a hidden file among the runs."""
    return run_dir.with_name(f".{run_dir.name}.{STAMP}") if is_starter(run_dir.name) else run_dir / STAMP
