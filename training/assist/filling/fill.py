"""Fills the missing points of a project from a run: predict, choose the minimum confidence, accept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

from training.assist.filling.accept import accept
from training.assist.filling.candidates import read_candidates
from training.assist.filling.fill_of_run import make_fill
from training.errors import UserError
from training.faces.measures.error_budget import Affordable, ErrorBudget, affordable
from training.storage.project.edits.step import Edited
from training.storage.project.project import Project
from training.storage.runs.model.model_header import run_curve
from training.storage.runs.model.prediction_stamp import lacking
from training.storage.runs.run import Run

Predict = Callable[
    [np.ndarray], Sequence[str]
]  # stores predictions of these samples; a sentence for each unreadable one
Stage = Callable[
    [str], AbstractContextManager[None]
]  # entered while the project is read ("count") or written ("accept")


@dataclass(frozen=True)
class FillOptions:
    """Which predictions to accept: at a confidence of at least `min_confidence`, or as many as the budget allows.

    plain: use plain predictions, not conditioned on the face's labels.
    """

    min_confidence: float = 0.0
    budget: ErrorBudget | None = None
    plain: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise ValueError("the minimum confidence must be between 0 and 1")
        if self.budget is not None and self.min_confidence:
            raise ValueError("the budget decides on the minimum confidence")


@dataclass(frozen=True)
class Filled:
    """edited: the points accepted. given: whether predictions were conditioned on the labels. allowed: what the budget
    allowed. unreadable: a sentence per image that could not be predicted. fault: why the run's fill model is unusable.
    """

    edited: Edited
    given: bool
    allowed: Affordable | None = None
    unreadable: tuple[str, ...] = ()
    fault: str = ""


def fill_missing(
    project: Project,
    run: Run,
    options: FillOptions,
    *,
    predict: Predict | None = None,
    progress: Stage = lambda _stage: nullcontext(),
) -> Filled:
    """Accept a run's predictions for unset points: one step of the journal.

    predict: called with the samples that the run's current model has not predicted, if any; None: use only what is
    stored.
    """
    missing = np.zeros(0, np.int64) if predict is None else lacking(project, run, project.kept_ids())
    unreadable = predict(missing) if predict is not None and len(missing) else ()
    given, fault = (False, "") if options.plain else _has_fill(project, run)
    least, allowed = options.min_confidence, None
    if options.budget is not None:
        with progress("count"):
            candidates = read_candidates(project, run.name, plain=not given)
        allowed = affordable(candidates.known, run_curve(run), options.budget)
        least = allowed.threshold
    with progress("accept"):
        edited = accept(project, run.name, min_confidence=least, plain=not given)
    return Filled(edited, given, allowed, tuple(unreadable), fault)


def _has_fill(project: Project, run: Run) -> tuple[bool, str]:
    """Whether the run has a fill model, fitting one on val if there is none; and what is wrong with it, if anything."""
    try:
        return make_fill(project, run) is not None, ""
    except UserError as error:
        return False, str(error)
