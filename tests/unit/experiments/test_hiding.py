"""Labels hidden from training as in Kaggle's file: which ones, and that only runs on these labels are reused."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.experiments.report.test_words import FACES, _arm
from training.cli import main
from training.errors import UserError
from training.experiments.conduct import conduct
from training.experiments.experiment_events import ExperimentEvent, ExperimentStarted
from training.experiments.hiding import hide_labels, kept_keypoints
from training.experiments.options import Options, report_folder
from training.experiments.papers.catalogue import find_experiment
from training.experiments.papers.definition import Budget
from training.experiments.plan import find_done, make_plan
from training.experiments.report.bootstrap import make_draws
from training.experiments.report.results import Results, _test
from training.experiments.report.words import claim_sentence, summary
from training.faces.labels.labels import Origin, PointState
from training.faces.labels.schema import IBUG_68, KAGGLE_15, KeypointSchema, schema_from_names
from training.storage.project.project import Project
from training.storage.runs.inputs.snapshot import Snapshot, load_snapshot
from training.storage.runs.listing import list_runs
from training.storage.runs.new_run import write_run

MASKED = find_experiment("table-2-masked")
SILENT = (sys.executable, "-m", "tests.helpers.fakes.training", "speechless")
COUNT, INCOMPLETE = 50, 5  # faces; the first ten are val, the last ones lack the nose


def snapshot(schema: KeypointSchema = KAGGLE_15) -> Snapshot:
    k = len(schema)
    points = np.random.default_rng(1).uniform(0, 96, (COUNT, k, 2))
    states = np.full((COUNT, k), PointState.VISIBLE, np.uint8)
    points[-INCOMPLETE:, 2], states[-INCOMPLETE:, 2] = np.nan, PointState.UNSET
    splits = np.where(np.arange(COUNT) < 10, 1, 0).astype(np.uint8)
    origins = np.where(states == PointState.VISIBLE, Origin.PERSON, Origin.NONE).astype(np.uint8)
    return Snapshot(
        np.arange(1, COUNT + 1), points, states, splits, np.full((COUNT, 2), 96, np.int32), schema, "abc", origins
    )


def names(schema: KeypointSchema) -> set[str]:
    return {schema.keypoints[k] for k in kept_keypoints(schema)}


def test_the_four_of_kaggles_file_stay_and_four_spread_ones_elsewhere() -> None:
    kept = {"left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip"}
    assert names(KAGGLE_15) == kept
    assert kept_keypoints(IBUG_68) == (8, 30, 36, 45)  # chin, nose tip, outer eye corners
    assert len(set(kept_keypoints(schema_from_names([f"p{i}" for i in range(9)])))) == 4
    assert len(set(kept_keypoints(KeypointSchema("bare", tuple("abcdef"), tuple(range(6)))))) == 4


def test_a_share_of_the_complete_train_faces_keeps_four_labels() -> None:
    whole = snapshot()
    found, hidden = hide_labels(whole, 0.6)
    assert (hidden.faces, hidden.complete) == (21, 35)
    counts = np.isfinite(found.points).all(axis=-1).sum(axis=1)
    assert (counts[10:] == 4).sum() == 21
    assert (counts[10:] == 15).sum() == 14
    np.testing.assert_array_equal(found.points[:10], whole.points[:10])  # val is whole
    np.testing.assert_array_equal(found.points[-INCOMPLETE:], whole.points[-INCOMPLETE:])
    there = np.isfinite(found.points).all(axis=-1)
    np.testing.assert_array_equal(found.points[there], whole.points[there])
    np.testing.assert_array_equal(found.states == PointState.VISIBLE, there)
    np.testing.assert_array_equal(found.origins != Origin.NONE, there)
    assert (
        "21 of the 35 complete train faces (60%) keep only left eye center, right eye center, nose tip" in hidden.words
    )


def test_the_same_faces_each_time_and_more_of_them_with_a_larger_share() -> None:
    some, more = (np.isnan(hide_labels(snapshot(), share)[0].points) for share in (0.3, 0.6))
    np.testing.assert_array_equal(some, np.isnan(hide_labels(snapshot(), 0.3)[0].points))
    assert (more | ~some).all()
    assert more.sum() > some.sum()


@pytest.mark.parametrize("share", [-0.1, 1.0, 70.0, float("nan"), 0.001])
def test_a_share_that_hides_nothing_or_all_is_refused(share: float) -> None:
    with pytest.raises(UserError, match="share"):
        hide_labels(snapshot(), share)


def test_four_keypoints_have_none_to_hide() -> None:
    with pytest.raises(UserError, match="4 keypoints"):
        hide_labels(snapshot(KeypointSchema("few", tuple("abcd"), (0, 1, 2, 3))), 0.5)


def test_runs_on_hidden_and_whole_labels_are_not_taken_for_each_other(project_path: Path) -> None:
    job = make_plan(MASKED, Budget(minutes=None, epochs=1, seeds=1))[0]
    whole = snapshot()
    half, _ = hide_labels(whole, 0.5)
    most, _ = hide_labels(whole, 0.7)
    made = write_run(project_path / "runs", job.config, half)
    made.resume.touch()
    made.events.touch()
    infos = list_runs(project_path / "runs")
    found = find_done(job, infos, half)
    assert found is not None
    assert found.name == made.name
    assert find_done(job, infos, whole) is None
    assert find_done(job, infos, most) is None
    assert not found.is_stale("abc")  # a subset of the current labels
    assert found.is_stale("abd")


def test_arms_that_are_one_training_are_told_so_and_not_tested() -> None:
    errors = np.tile([[4.0], [5.0], [6.0], [5.0]], (2, 1))
    arms = (_arm("cnn", errors, 2.0), _arm("ml-cnn", errors - 2, 2.0), _arm("ml-resnet", errors - 3, 2.0))
    fewer, all_alike = arms, tuple(replace(a, runs=(replace(a.runs[0], train_faces=100),)) for a in arms)
    results = Results(MASKED, FACES, ("nose",), all_alike, (), {})
    results = replace(results, experiment=replace(MASKED, measures=("rmse_96",)))
    draws = make_draws(FACES.groups, seeds=1)
    claims = [c for c in (_test(claim, results, draws) for claim in MASKED.claims if claim.measure == "rmse_96") if c]
    assert [c.verdict for c in claims] == ["alike", "agrees", "agrees"]
    assert "train identically here: no train face lacks a label" in claim_sentence(claims[0], results)
    assert summary(replace(results, claims=tuple(claims))).startswith("Of the 2 claims tested, 2 agree")
    tested = _test(MASKED.claims[0], replace(results, arms=fewer), draws)
    assert tested is not None
    assert tested.verdict == "agrees"


def test_hidden_labels_are_the_runs_alone_and_without_them_equal_arms_are_told(project_path: Path) -> None:
    with Project.open(project_path) as project:
        labels = project.labels(project.ids())
        labels.points[...] = np.where(np.isfinite(labels.points), labels.points, 48.0)
        labels.states[...] = PointState.VISIBLE
        project.write_labels(project.ids(), labels)
    events: list[ExperimentEvent] = []
    options = Options(Budget(minutes=None, epochs=1, seeds=1), 3)
    at_once = threading.Event()
    at_once.set()
    assert not conduct(MASKED, project_path, options, tell=events.append, stop=at_once, command=SILENT)
    options = replace(options, hide=0.5)
    with pytest.raises(UserError, match="No training"):
        conduct(MASKED, project_path, options, tell=events.append, stop=threading.Event(), command=SILENT)
    told = [e.sentence for e in events if isinstance(e, ExperimentStarted)]
    assert "ML-CNN and CNN without the mask train identically here; hide some labels (--hide 0.7)" in told[0]
    assert "same training" not in told[1]
    taken = [load_snapshot(info.run) for info in list_runs(project_path / "runs")]
    assert [bool(np.isfinite(s.points).all()) for s in taken] == [False] * 3
    assert all(np.isfinite(s.points[s.splits != 0]).all() for s in taken)
    with Project.open(project_path, read_only=True) as project:
        assert np.isfinite(project.labels(project.ids()).points).all()
    assert report_folder(project_path, "x", 0.5).name == "x-hidden-50"


def test_the_command_refuses_a_share_in_a_sentence(project_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "table-2-masked", str(project_path), "--hide", "70", "--epochs", "1"]) == 2
    assert "such as 0.7, not 70" in capsys.readouterr().err
    assert list_runs(project_path / "runs") == []
