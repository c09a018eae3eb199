"""What the plots of confidence show of a run: read from stored predictions and labels, in the background. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.confidence_file import run_curve
from training.error_curve import ErrorCurve
from training.project.project import Project
from training.reliability import Judged, Reliability, RiskCurve, judge_stored, reliability, risk_curve


@dataclass(frozen=True)
class Known:
    """A run's labelled and predicted points of val, and what its confidences mean."""

    judged: Judged
    curve: ErrorCurve


@dataclass(frozen=True)
class ConfidenceFacts:
    """All that is drawn for one limit of the error."""

    reliability: Reliability
    risk: RiskCurve
    points: int
    faces: int


def read_known(path: Path, run: str, *, cancelled: Callable[[], bool]) -> Known:
    """What the project keeps of the run."""
    with Project.open(path, read_only=True) as project:
        return Known(judge_stored(project, run, cancelled=cancelled), run_curve(project.runs_dir / run))


def facts_for(known: Known, beyond: float) -> ConfidenceFacts:
    """For errors beyond this fraction of the interocular distance."""
    return ConfidenceFacts(
        reliability(known.judged, known.curve, beyond=beyond),
        risk_curve(known.judged, known.curve, beyond=beyond),
        len(known.judged.errors),
        known.judged.faces,
    )
