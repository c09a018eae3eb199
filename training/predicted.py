"""Which model the stored predictions of a run are by: one in training, or resumed, gets better models."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from training.project.project import Project
from training.run_names import is_starter
from training.runs import model_file

STAMP = "predicted"  # file in the run folder (of a starter beside it): the model that all stored predictions are by


def model_stamp(run_dir: Path) -> str:
    """Tells one model file of a run from a later one; "" while there is none."""
    try:
        status = model_file(run_dir).stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns}-{status.st_size}"


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
    path = _stamp_path(run_dir)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        beside.write_text(stamp, encoding="utf-8")
        beside.replace(path)
    except OSError:  # a read-only or removed run folder: it costs no more than predicting again next time
        return


def stored_stamp(run_dir: Path) -> str:
    """The stamp of the model that all stored predictions are by; "" where they are not all there."""
    try:
        return _stamp_path(run_dir).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _stamp_path(run_dir: Path) -> Path:
    """A starter has no folder in the project: its note is a hidden file among the runs."""
    return run_dir.with_name(f".{run_dir.name}.{STAMP}") if is_starter(run_dir.name) else run_dir / STAMP
