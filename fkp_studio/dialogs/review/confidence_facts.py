"""Computes the data of the confidence plots from stored predictions and labels. No widgets; for a background thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from training.faces.measures.error_curve import ErrorCurve
from training.faces.measures.reliability import Judged, Reliability, RiskCurve, reliability, risk_curve
from training.storage.project.identity import Place
from training.storage.project.project import Project
from training.storage.runs.model.adjustment import read_adjustment
from training.storage.runs.model.judged_predictions import judge_stored
from training.storage.runs.model.model_header import run_curve
from training.storage.runs.run import Run


@dataclass(frozen=True)
class Known:
    """A run's labelled and predicted points in val, and its error curve.

    fitted: the number of labelled faces the run is calibrated to; 0 if it is not.
    """

    judged: Judged
    curve: ErrorCurve
    fitted: int


@dataclass(frozen=True)
class ConfidenceFacts:
    """The data of both plots for one error limit."""

    reliability: Reliability
    risk: RiskCurve
    points: int
    faces: int
    fitted: int  # as of Known


def read_known(path: Place, run: str, *, cancelled: Callable[[], bool]) -> Known:
    """Read the stored predictions of the run."""
    with Project.open(path, read_only=True) as project:
        own = Run(project.runs_dir / run)
        fit = read_adjustment(own, keypoints=len(project.schema))
        judged = judge_stored(project, run, cancelled=cancelled)
        return Known(judged, run_curve(own), 0 if fit is None else fit.faces)


def facts_for(known: Known, beyond: float) -> ConfidenceFacts:
    """The facts for errors above this fraction of the inter-ocular distance."""
    return ConfidenceFacts(
        reliability(known.judged, known.curve, beyond=beyond),
        risk_curve(known.judged, known.curve, beyond=beyond),
        len(known.judged.errors),
        known.judged.faces,
        known.fitted,
    )
