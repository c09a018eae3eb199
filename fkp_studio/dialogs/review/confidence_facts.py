"""What the plots of confidence show of a run: read from stored predictions and labels, in the background. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.faces.measures.error_curve import ErrorCurve
from training.faces.measures.reliability import Judged, Reliability, RiskCurve, judge_stored, reliability, risk_curve
from training.storage.project.project import Project
from training.storage.runs.model.adjustment import read_adjustment
from training.storage.runs.model.header import run_curve


@dataclass(frozen=True)
class Known:
    """A run's labelled and predicted points of val, and what its confidences mean. fitted: on how many labelled faces the fit
    is made that moves the predictions; 0: there is none."""

    judged: Judged
    curve: ErrorCurve
    fitted: int


@dataclass(frozen=True)
class ConfidenceFacts:
    """All that is drawn for one limit of the error."""

    reliability: Reliability
    risk: RiskCurve
    points: int
    faces: int
    fitted: int  # as of Known


def read_known(path: Path, run: str, *, cancelled: Callable[[], bool]) -> Known:
    """What the project keeps of the run."""
    with Project.open(path, read_only=True) as project:
        run_dir = project.runs_dir / run
        fit = read_adjustment(run_dir, keypoints=len(project.schema))
        judged = judge_stored(project, run, cancelled=cancelled)
        return Known(judged, run_curve(run_dir), 0 if fit is None else fit.faces)


def facts_for(known: Known, beyond: float) -> ConfidenceFacts:
    """For errors beyond this fraction of the interocular distance."""
    return ConfidenceFacts(
        reliability(known.judged, known.curve, beyond=beyond),
        risk_curve(known.judged, known.curve, beyond=beyond),
        len(known.judged.errors),
        known.judged.faces,
        known.fitted,
    )
