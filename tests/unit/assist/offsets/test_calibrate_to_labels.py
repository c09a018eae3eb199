"""Calibrating a model to an annotator's labels: hand-computed numbers, in a project, in the predictor, undone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.project_data import batch
from tests.helpers.training_data import SCHEMA, tiny_config
from training.assist.offsets.calibrate_to_labels import (
    Fit,
    fit_offsets,
    fit_run,
    from_json,
    left_out,
    to_json,
    undo_fit,
    use_fit,
)
from training.errors import UserError
from training.faces.labels.schema import KAGGLE_15
from training.files.json_values import strict
from training.learning.inference.checkpoint import ModelInfo, save_model
from training.learning.inference.predictor import Predictor
from training.learning.models.registry import make_model
from training.storage.project.project import Project
from training.storage.runs.inputs.snapshot import snapshot_project
from training.storage.runs.model.adjustment import Adjustment, read_adjustment, write_adjustment
from training.storage.runs.model.prediction_stamp import (
    NotPredictedError,
    lacking,
    model_stamp,
    note_predicted,
    raw_predictions,
)
from training.storage.runs.new_run import write_run
from training.storage.runs.run import Run


def test_with_many_faces_the_fit_is_the_mean() -> None:
    random = np.random.default_rng(0)
    offset = np.array([(1.0, 0.0), (2.0, -1.0), (0.0, 3.0)])
    residual = offset + random.normal(0, 1, (4000, 3, 2))
    assert fit_offsets(residual, np.arange(4000)) == pytest.approx(offset, abs=0.06)


def test_with_few_faces_keypoints_lean_on_what_they_share_and_noise_is_left_alone() -> None:
    random = np.random.default_rng(1)
    shared = np.array([1.5, 0.0]) + random.normal(0, 2, (20, 15, 2))
    fitted, mean = fit_offsets(shared, np.arange(20)), shared.mean(axis=0)
    assert np.square(fitted - [1.5, 0]).mean() < 0.3 * np.square(mean - [1.5, 0]).mean()
    noise = random.normal(0, 2, (20, 15, 2))
    assert np.square(fit_offsets(noise, np.arange(20))).mean() < 0.3 * np.square(noise.mean(axis=0)).mean()


def test_a_keypoint_nobody_labelled_moves_with_the_others() -> None:
    residual = np.full((30, 3, 2), (2.0, 1.0)) + np.random.default_rng(2).normal(0, 0.1, (30, 3, 2))
    residual[:, 2] = np.nan
    assert fit_offsets(residual, np.arange(30))[2] == pytest.approx([2.0, 1.0], abs=0.05)


def test_a_face_is_judged_without_its_own_person() -> None:
    """Two people with different exact offsets: an offset learned from one does not help the other."""
    residual = np.full((40, 2, 2), 3.0)
    residual[20:] = -3.0
    groups = np.repeat([0, 1], 20)
    rest = left_out(residual, groups)
    assert np.abs(rest).min() >= 3.0
    assert np.abs(left_out(np.full((40, 2, 2), 3.0), groups)).max() < 3.0


def test_offsets_are_pixels_of_the_network_input() -> None:
    moved = Adjustment(np.array([(1.0, 2.0)]), 20, 2.0, 1.0).in_images(np.array([(96, 96), (192, 48)]), 96)
    assert moved.tolist() == [[[1.0, 2.0]], [[2.0, 1.0]]]


def test_it_is_kept_beside_the_model_and_a_damaged_file_is_refused(tmp_path: Path) -> None:
    kept = Adjustment(np.array([(1.25, -0.5), (0.0, 3.0)]), 24, 1.94, 1.44)
    run = Run(tmp_path)
    write_adjustment(run, kept)
    read = read_adjustment(run, keypoints=2)
    assert read is not None
    assert np.array_equal(read.offset, kept.offset)
    assert (read.faces, read.before, read.after) == (24, 1.94, 1.44)
    with pytest.raises(UserError, match="3 keypoints"):
        read_adjustment(run, keypoints=3)
    run.adjustment.write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read"):
        read_adjustment(run, keypoints=2)
    assert Run(tmp_path / "starter-15").adjustment == tmp_path / ".starter-15.adjust.json"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    opened = Project.create(tmp_path / "p.fkp", KAGGLE_15)
    opened.add_samples(batch(60))
    return opened


def predicted_run(project: Project, *, off: tuple[float, float]) -> Run:
    """A run not trained on val and test, with predictions that differ from all labels by `off`."""
    run = make_run_in(project)
    ids = project.ids()
    labels = project.labels(ids)
    points = np.nan_to_num(labels.points, nan=40.0) - off
    project.write_predictions(run.name, ids, points, np.full(points.shape[:2], 0.9))
    note_predicted(run, model_stamp(run))
    return run


def make_run_in(project: Project) -> Run:
    run = write_run(project.runs_dir, tiny_config(), snapshot_project(project))
    run.model.write_bytes(b"not looked into")
    return run


def test_a_run_is_fitted_to_the_faces_it_was_not_trained_on(project: Project) -> None:
    run = predicted_run(project, off=(1.5, -0.5))
    fit = fit_run(project, run)
    scale = tiny_config().network.input_size / 96
    labelled = project.labels(project.ids()).mask.any(axis=1)
    assert fit.adjustment.faces == int((labelled & (project.index().splits != 0)).sum())
    assert fit.adjustment.offset == pytest.approx(np.tile([1.5 * scale, -0.5 * scale], (15, 1)), abs=1e-4)
    assert fit.adjustment.before == pytest.approx(np.sqrt((1.5**2 + 0.5**2) / 2), abs=1e-4)
    assert fit.adjustment.after == pytest.approx(0, abs=1e-4)
    assert fit.helps
    assert "1.12 → 0.00 px on faces it was not calibrated on (" in fit.sentence


def test_a_gain_that_nobody_sees_is_no_help() -> None:
    """Predicting all faces again for a thousandth of a pixel is not worth it."""
    for after, helps in ((1.337, False), (1.30, True), (1.34, False)):
        fit = Fit(Adjustment(np.zeros((3, 2)), 30, 1.34, after), np.ones(3), np.ones(3), 30)
        assert fit.helps == helps
        assert ("does not help" in fit.sentence) != helps


def test_a_fit_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UserError, match="the disk is full"):
        write_adjustment(Run(tmp_path / "run"), Adjustment(np.zeros((3, 2)), 20, 2.0, 1.0))
    assert list((tmp_path / "run").iterdir()) == []


def test_using_a_fit_makes_stored_predictions_old_and_undoing_it_too(project: Project) -> None:
    run = predicted_run(project, off=(1.0, 0.0))
    raw = raw_predictions(project, run, project.ids())
    assert not len(lacking(project, run, project.ids()))
    fit = fit_run(project, run)
    use_fit(run, fit)
    assert len(lacking(project, run, project.ids())) == len(project)
    with pytest.raises(UserError, match="predict all faces first"):
        fit_run(project, run)
    adjusted = raw + fit.adjustment.in_images(np.full((len(project), 2), 96), tiny_config().network.input_size)
    project.write_predictions(run.name, project.ids(), adjusted, np.full(raw.shape[:2], 0.9))
    note_predicted(run, model_stamp(run))
    assert raw_predictions(project, run, project.ids()) == pytest.approx(raw, abs=1e-3)
    again = fit_run(project, run)  # of the model itself, not on top of the one in use
    assert again.adjustment.offset == pytest.approx(fit.adjustment.offset, abs=1e-3)
    assert undo_fit(run)
    assert len(lacking(project, run, project.ids())) == len(project)
    assert not undo_fit(run)
    note_predicted(run, model_stamp(run))
    use_fit(run, fit)
    project.write_predictions(run.name, project.ids()[:5], adjusted[:5], np.full(raw.shape[:2], 0.9)[:5])
    assert undo_fit(run)  # before all were predicted again: the model is as before, the stored predictions are not
    assert len(lacking(project, run, project.ids())) == len(project)


def test_only_the_labelled_faces_need_predictions(project: Project) -> None:
    """Stored predictions are used; if some are missing, only the labelled faces are predicted."""
    off = np.array([1.5, -0.5])
    stored = fit_run(project, predicted_run(project, off=(1.5, -0.5)))
    run, labels = make_run_in(project), project.labels(project.ids())
    wanted = np.flatnonzero(labels.mask.any(axis=1) & (project.index().splits != 0)) + 1
    with pytest.raises(NotPredictedError):
        fit_run(project, run)
    asked: list[np.ndarray] = []

    def predict(ids: np.ndarray) -> np.ndarray:
        asked.append(ids)
        points = np.nan_to_num(labels.points[ids - 1], nan=40.0) - off
        points[0] = np.nan  # its image cannot be read
        return points

    fit = fit_run(project, run, predict=predict)
    assert np.array_equal(np.concatenate(asked), wanted)
    assert fit.adjustment.offset == pytest.approx(stored.adjustment.offset, abs=1e-4)
    assert fit.adjustment.faces == len(wanted) - 1
    points = np.nan_to_num(labels.points[wanted - 1], nan=40.0) - off
    project.write_predictions(run.name, wanted, points, np.full(points.shape[:2], 0.9))
    note_predicted(run, model_stamp(run))
    assert fit_run(project, run).adjustment.faces == len(wanted)  # though no other face is predicted
    titles = project.schema.titles
    again = from_json(json.loads(json.dumps(strict(to_json(fit, titles)))))
    assert again.sentence == fit.sentence and np.array_equal(again.after, fit.after, equal_nan=True)
    assert np.array_equal(again.adjustment.offset, fit.adjustment.offset)


def test_too_few_labelled_faces_are_said_so(project: Project) -> None:
    run = predicted_run(project, off=(1.0, 0.0))
    project.set_splits(project.ids(), np.zeros(60, np.uint8))
    other = write_run(project.runs_dir, tiny_config(), snapshot_project(project))
    other.model.write_bytes(b"-")
    with pytest.raises(UserError, match=r"needs 20 labelled faces .* there are none"):
        fit_run(project, other)
    assert fit_run(project, run).adjustment.faces >= 20


def test_the_predictor_adds_it_and_can_leave_it(tmp_path: Path) -> None:
    run, config = Run(tmp_path), tiny_config()
    save_model(run.model, make_model(config, 3).state_dict(), ModelInfo(config, SCHEMA, "float32"))
    images = np.random.default_rng(0).integers(0, 255, (3, 48, 96), np.uint8)
    plain = Predictor.load(run, "cpu")
    points, sure = plain.predict(images)
    write_adjustment(run, Adjustment(np.tile([1.0, -2.0], (len(plain.schema), 1)), 20, 2.0, 1.0))
    moved, as_sure = Predictor.load(run, "cpu").predict(images)
    side = plain.info.config.network.input_size
    assert moved - points == pytest.approx(np.broadcast_to([96 / side, -2.0 * 48 / side], points.shape), abs=1e-3)
    assert np.array_equal(sure, as_sure)
    assert Predictor.load(run, "cpu", adjusted=False).predict(images)[0] == pytest.approx(points, abs=1e-4)
