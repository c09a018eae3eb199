"""Which model the stored predictions of a run are by: one in training, or resumed, gets better models."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from training.project.project import Project
from training.runs import MODEL

STAMP = "predicted"  # file in the run folder: the model that all stored predictions are by


def model_stamp(run_dir: Path) -> str:
    """Tells one model file of a run from a later one; "" while there is none."""
    try:
        status = (run_dir / MODEL).stat()
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
    beside = run_dir / f"{STAMP}.{os.getpid()}"
    try:
        beside.write_text(stamp, encoding="utf-8")
        beside.replace(run_dir / STAMP)
    except OSError:  # a read-only or removed run folder: it costs no more than predicting again next time
        return


def stored_stamp(run_dir: Path) -> str:
    """The stamp of the model that all stored predictions are by; "" where they are not all there."""
    try:
        return (run_dir / STAMP).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
