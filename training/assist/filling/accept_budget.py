"""The confidence threshold that keeps the expected share of wrong accepted points within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.assist.filling.accept import read_given, to_fill
from training.assist.filling.of_run import usable_fill
from training.faces.measures.error_budget import Affordable, ErrorBudget, affordable
from training.storage.project.label_table import blocks
from training.storage.runs.model.header import run_curve
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from training.storage.project.project import Project


def candidate_confidences(project: Project, run: str, *, plain: bool = False) -> np.ndarray:
    """float32 [M]: the confidences of all unset points that the run has predicted. plain: as in Project.accept."""
    keypoints, found = len(project.schema), [np.zeros(0, np.float32)]
    fill = None if plain else usable_fill(Run(project.runs_dir / run), keypoints=keypoints)
    for block in blocks(project.database, None):
        labels, predictions = read_given(project.database, run, block, keypoints, fill=fill)
        found.append(predictions.confidences[to_fill(labels, predictions)])
    return np.concatenate(found)


def affordable_points(project: Project, run: str, budget: ErrorBudget, *, plain: bool = False) -> Affordable:
    """How many missing points the budget allows to accept from a run, and from which confidence."""
    return affordable(candidate_confidences(project, run, plain=plain), run_curve(Run(project.runs_dir / run)), budget)
