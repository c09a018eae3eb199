"""Reads the error curve of a run's model from the header of its file, without loading the network."""

from __future__ import annotations

import safetensors

from training.errors import UserError
from training.faces.measures.calibration import Calibration
from training.faces.measures.error_curve import ErrorCurve, usual_curve
from training.files.json_values import parse_json
from training.files.tensors import open_tensors
from training.storage.runs.run import Run

HEADER = "fkp-studio"  # key of the model file's metadata


def run_curve(run: Run) -> ErrorCurve:
    """Extends the run's confidences to thresholds other than 10 %; the usual curve where the model is gone or
    has none."""
    try:
        with open_tensors(run.model, framework="numpy") as stored:
            values = parse_json((stored.metadata() or {})[HEADER])["calibration"]
        return Calibration.from_json(values).errors if values else usual_curve()
    except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError, UserError):
        return usual_curve()
