"""The confidence from which on predictions are accepted so that the expected share of wrong ones stays within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.confidence_file import run_curve
from training.error_budget import Affordable, ErrorBudget, affordable
from training.project.accept import to_fill
from training.project.label_table import blocks

if TYPE_CHECKING:
    from training.project.project import Project


def candidate_confidences(project: Project, run: str) -> np.ndarray:
    """float32 [M]: of every unset point that the run has predicted."""
    found = [np.zeros(0, np.float32)]
    for block in blocks(project.database, None):
        predictions = project.predictions(run, block)
        found.append(predictions.confidences[to_fill(project.labels(block), predictions)])
    return np.concatenate(found)


def affordable_points(project: Project, run: str, budget: ErrorBudget) -> Affordable:
    """How many missing points the budget allows to accept from a run, and from which confidence on."""
    return affordable(candidate_confidences(project, run), run_curve(project.runs_dir / run), budget)
