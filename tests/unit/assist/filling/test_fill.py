"""Filling a project from a run: what is predicted first, from which confidence, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.unit.assist.filling.test_model import predicted_run, spread_splits
from training.assist.filling.accept import fillable_ids
from training.assist.filling.candidates import read_candidates
from training.assist.filling.fill import FillOptions, fill_missing
from training.faces.measures.error_budget import ErrorBudget
from training.storage.project.edits.undo import undo
from training.storage.project.journal import read_steps
from training.storage.project.project import Project


@pytest.fixture
def project(project_path: Path) -> Iterator[Project]:
    with Project.open(project_path) as project:
        spread_splits(project)
        yield project


def missing(project: Project) -> int:
    return int(project.index().missing.sum())


def test_all_missing_points_are_filled_in_one_step(project: Project) -> None:
    run = predicted_run(project)
    before = missing(project)
    done = fill_missing(project, run, FillOptions())
    assert done.edited.points == before > 0
    assert missing(project) == 0
    assert done.given
    assert (done.allowed, done.unreadable, done.fault) == (None, (), "")
    assert [step.id for step in read_steps(project.database)] == [done.edited.step]
    assert done.edited.step is not None
    undo(project, done.edited.step)
    assert missing(project) == before


def test_only_what_the_current_model_has_not_predicted_is_predicted(project: Project) -> None:
    run = predicted_run(project)
    asked: list[np.ndarray] = []

    def predict(ids: np.ndarray) -> Sequence[str]:
        asked.append(ids)
        return ["a.png cannot be read."]

    assert fill_missing(project, run, FillOptions(), predict=predict).unreadable == ()
    assert asked == []
    run.model.write_bytes(b"another model")
    assert fill_missing(project, run, FillOptions(), predict=predict).unreadable == ("a.png cannot be read.",)
    assert [ids.tolist() for ids in asked] == [project.ids().tolist()]


def test_a_minimum_confidence_leaves_the_less_certain_unset(project: Project) -> None:
    run = predicted_run(project)
    confidences = np.where(np.arange(15) < 9, 0.9, 0.4)
    says = project.predictions(run.name, project.ids()).points
    project.write_predictions(run.name, project.ids(), says, np.tile(confidences, (len(project), 1)))
    sure = int(project.labels(project.ids()).missing[:, :9].sum())
    done = fill_missing(project, run, FillOptions(min_confidence=0.8, plain=True))
    assert done.edited.points == sure > 0
    assert not done.given
    assert not run.fill.exists()


def test_a_budget_chooses_the_confidence(project: Project) -> None:
    run = predicted_run(project)
    says = project.predictions(run.name, project.ids()).points
    confidences = np.tile(np.where(np.arange(15) < 9, 0.99, 0.1), (len(project), 1))
    project.write_predictions(run.name, project.ids(), says, confidences)
    stages: list[str] = []

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        stages.append(name)
        yield

    options = FillOptions(budget=ErrorBudget(at_most=0.05, beyond=0.10), plain=True)
    sure = int(project.labels(project.ids()).missing[:, :9].sum())
    done = fill_missing(project, run, options, progress=stage)
    assert done.allowed is not None
    assert done.allowed.threshold == pytest.approx(0.99)
    assert done.edited.points == done.allowed.points == sure > 0
    assert stages == ["count", "accept"]


def test_a_damaged_fill_model_is_reported_and_predictions_are_plain(project: Project) -> None:
    run = predicted_run(project)
    run.fill.write_bytes(b"torn")
    done = fill_missing(project, run, FillOptions())
    assert "is damaged" in done.fault
    assert not done.given
    assert done.edited.points


def test_options_that_contradict_themselves_are_refused() -> None:
    for confidence in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            FillOptions(min_confidence=confidence)
    with pytest.raises(ValueError, match="budget"):
        FillOptions(min_confidence=0.5, budget=ErrorBudget())


def test_candidates_are_the_points_that_filling_accepts(project: Project) -> None:
    run = predicted_run(project)
    found = read_candidates(project, run.name, plain=True)
    assert len(found) == missing(project)
    assert set(found.ids.tolist()) <= set(fillable_ids(project).tolist())
    assert (np.diff(found.confidences) <= 0).all()
