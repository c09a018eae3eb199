"""Model files, predictions and their confidences, troubles, and the prediction worker."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.helpers.training_data import SCHEMA, dots, tiny_config
from training.errors import UserError
from training.faces.labels.labels import Origin, PointState
from training.faces.labels.schema import KAGGLE_15
from training.faces.measures.calibration import CLOSE, Calibration, default_calibration, fit_calibration
from training.learning.evaluation.evaluate import evaluate_run
from training.learning.fit.resuming.saved_values import SavedValues
from training.learning.fit.troubles.watch import TroubleWatch
from training.learning.inference.checkpoint import ModelInfo, load_model, load_resume, save_model, save_resume
from training.learning.inference.predictor import Predictor
from training.learning.inference.serve import Worker, serve
from training.learning.models.registry import make_model
from training.storage.project.project import Project
from training.storage.runs.events import EpochDone
from training.storage.runs.run import MODEL, Run


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    config = tiny_config()
    calibration = Calibration((-1.0, -0.5), (0.1, 0.2, 0.3), 99)
    info = ModelInfo(config, SCHEMA, "float32", metrics={"rmse": 2.5}, calibration=calibration)
    torch.manual_seed(0)
    path = tmp_path / MODEL
    save_model(path, make_model(config, 3).state_dict(), info)
    return path


def test_a_model_file_gives_back_what_was_saved(model_file: Path) -> None:
    model, info = load_model(Run(model_file))
    assert info.config == tiny_config()
    assert info.schema == SCHEMA
    assert info.metrics == {"rmse": 2.5}
    assert info.calibration == Calibration((-1.0, -0.5), (0.1, 0.2, 0.3), 99)
    assert "torch" in info.versions
    torch.manual_seed(0)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), make_model(tiny_config(), 3).parameters(), strict=True)
    )
    assert load_model(Run(model_file.parent))[1] == info  # a run folder will do


def test_damaged_and_foreign_model_files_are_told(model_file: Path, tmp_path: Path) -> None:
    model, info = load_model(Run(model_file))
    os.truncate(model_file, model_file.stat().st_size // 2)
    with pytest.raises(UserError, match="damaged"):
        load_model(Run(model_file))
    model_file.write_bytes(b"\xff" * 100)
    with pytest.raises(UserError, match="damaged"):
        load_model(Run(model_file))
    safetensors.torch.save_file({"a": torch.zeros(1)}, model_file)
    with pytest.raises(UserError, match="not an FKP Studio model"):
        load_model(Run(model_file))
    save_model(model_file, model.state_dict(), replace(info, schema=KAGGLE_15, calibration=None))
    with pytest.raises(UserError, match="does not fit its header"):
        load_model(Run(model_file))
    huge = info.config.changed(input_size=1024)  # would take gigabytes
    save_model(model_file, model.state_dict(), replace(info, config=huge))
    with pytest.raises(UserError, match="fewer weights"):
        load_model(Run(model_file))
    with pytest.raises(UserError, match="no model in"):
        load_model(Run(tmp_path / "nothing"))


def test_the_saved_state_is_read_without_running_anything(tmp_path: Path) -> None:
    path = tmp_path / "resume.pt"
    save_resume(path, {"epoch": 3, "model": {"w": torch.ones(2)}})
    assert load_resume(path)["epoch"] == 3
    torch.save({"evil": Path("x")}, path)
    with pytest.raises(UserError, match="damaged"):
        load_resume(path)


def test_predictions_are_in_pixels_of_the_given_image(model_file: Path) -> None:
    predictor = Predictor.load(Run(model_file), "cpu")
    images, _ = dots(5)
    points, confidences = predictor.predict(images)
    assert points.shape == (5, 3, 2)
    assert points.dtype == confidences.dtype == np.float32
    assert ((confidences >= 0) & (confidences <= 1)).all()
    twice = np.repeat(np.repeat(images, 2, axis=1), 2, axis=2)
    larger, _ = predictor.predict(twice)
    assert np.allclose(larger, 2 * points + 0.5, atol=0.2)
    assert np.allclose(predictor.predict_points(images), points, atol=1e-3)
    colour, _ = predictor.predict(np.repeat(images[..., None], 3, axis=-1))
    assert np.allclose(colour, points, atol=0.05)
    alone = np.concatenate([predictor.predict(images[i : i + 1])[0] for i in range(5)])
    assert np.allclose(alone, points, atol=1e-3)
    assert predictor.predict(images[:0])[0].shape == (0, 3, 2)


def test_confidence_is_a_probability_that_comes_true() -> None:
    """Drawn errors grow with the disagreement; the second keypoint is harder."""
    rng = np.random.default_rng(0)
    disagreement = np.exp(rng.normal(-5, 1, (4000, 2)))
    errors = np.abs(rng.normal(0, 1, disagreement.shape)) * disagreement * np.array([5.0, 20.0])
    errors[rng.random(errors.shape) < 0.3] = np.nan
    calibration = fit_calibration(disagreement, errors)
    probability = calibration.probability(disagreement)
    for low in (0.1, 0.3, 0.5, 0.7, 0.9):
        here = (np.abs(probability - low) < 0.1) & np.isfinite(errors)
        assert (errors[here] < CLOSE).mean() == pytest.approx(probability[here].mean(), abs=0.08)
    assert probability[:, 0].mean() > probability[:, 1].mean()
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 1.0])
def test_confidence_comes_true_on_average_however_good_the_model_and_however_alike_its_views(share: float) -> None:
    rng = np.random.default_rng(1)
    disagreement = 0.004 * np.exp(rng.normal(0, 0.05, (300, 15)))
    errors = np.where(rng.random((300, 15)) < share, 0.05, 0.3)
    probability = fit_calibration(disagreement, errors).probability(disagreement)
    assert probability.mean() == pytest.approx(share, abs=0.02)


def test_too_few_labels_give_the_cautious_guess() -> None:
    assert fit_calibration(np.ones((2, 3)), np.full((2, 3), np.nan)) == default_calibration(3)
    guess = default_calibration(1).probability(np.array([[0.001], [0.02]]))
    assert guess[0, 0] > 0.5 > guess[1, 0]
    with pytest.raises(UserError, match="calibration"):
        Calibration.from_json({"slopes": [1]})


def epoch(number: int, *, rmse: float = 1.0, train: float = 1.0, val: float = 1.0) -> EpochDone:
    return EpochDone(number, train, val, rmse, 0.1, "interocular", (), 0.5, 0.1, (), 1e-3, 9.0, 1.0, False)


def test_the_doctor_names_a_network_that_gives_the_mean_shape() -> None:
    watch = TroubleWatch(5.0)
    found = [watch.check(epoch(n, rmse=4.9), done=n / 20) for n in range(1, 21)]
    assert [t.kind for part in found for t in part] == ["mean-shape"]
    assert not found[3]
    assert "4.90 px" in found[4][0].sentence


def test_the_doctor_names_the_same_points_whatever_the_image() -> None:
    watch = TroubleWatch(5.0)
    target = np.random.default_rng(0).normal(50, 5, (20, 3, 2))
    mask = np.ones((20, 3), bool)
    watch.look_at_predictions(np.broadcast_to(target.mean(axis=0), target.shape), target, mask)
    found = watch.check(epoch(6, rmse=4.9), done=0.5)
    assert found[0].kind == "constant"
    again = TroubleWatch(5.0)
    again.from_json(SavedValues(watch.to_json()))
    assert "constant" not in [t.kind for t in again.check(epoch(7, rmse=4.9), done=0.5)]
    alive = TroubleWatch(5.0)
    alive.look_at_predictions(target + 1, target, mask)
    assert alive.check(epoch(6, rmse=1.4), done=0.5) == []


def test_the_doctor_names_overfitting() -> None:
    watch = TroubleWatch(50.0)
    said = []
    for n in range(1, 20):
        said += watch.check(epoch(n, train=10 / n, val=5 + abs(n - 6)), done=n / 20)
    assert [t.kind for t in said] == ["overfitting"]


@pytest.fixture
def run(project_path: Path) -> Run:
    """A run with a model for the 15 points, not trained."""
    run = Run(project_path / "runs" / "0001-cnn-6")
    run.path.mkdir(parents=True)
    config = tiny_config()
    save_model(run.model, make_model(config, 15).state_dict(), ModelInfo(config, KAGGLE_15, "float32"))
    return run


def test_a_run_is_evaluated_on_a_split(project_path: Path, run: Run) -> None:
    with Project.open(project_path) as project:
        result = evaluate_run(project, run, "val", device="cpu")
        assert result.n == 6
        assert result.rmse > 0
        assert result.left_out == {"no box: not every point is labelled": 2}
        with pytest.raises(UserError, match="no samples in its test split"):
            evaluate_run(project, run, "test")


def test_a_model_is_not_measured_by_points_that_a_model_gave(project_path: Path, run: Run) -> None:
    with Project.open(project_path) as project:
        before = evaluate_run(project, run, "val", device="cpu")
        ids = project.index().ids[project.index().splits == 1]
        labels = project.labels(ids)
        guessed = labels.missing.any(axis=1)
        accepted = labels.missing
        labels.points[accepted] = 3.0  # far off: it would show
        labels.states[accepted], labels.origins[accepted] = PointState.VISIBLE, Origin.MODEL
        project.write_labels(ids, labels)
        after = evaluate_run(project, run, "val", device="cpu")
    assert guessed.sum() == 2
    assert (after.n, after.rmse, after.left_out) == (before.n, before.rmse, before.left_out)


class Asking(io.StringIO):
    """Lines to the worker, ending once a number of requests has been answered."""

    def __init__(self, requests: tuple[dict[str, object], ...], answers: int) -> None:
        super().__init__()
        self.requests, self.left, self.answered = requests, answers, threading.Event()
        self.replies: list[dict[str, object]] = []

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]
        yield "not json\n"
        yield from (json.dumps(r) + "\n" for r in self.requests)
        if self.left:
            self.answered.wait(60)

    def write(self, text: str) -> int:
        reply = json.loads(text)
        self.replies.append(reply)
        self.left -= bool(reply.get("done") or "error" in reply)
        if self.left == 0:
            self.answered.set()
        return len(text)


def ask(*requests: dict[str, object], answers: int) -> list[dict[str, object]]:
    pipe = Asking(requests, answers)
    serve(pipe, pipe)
    return pipe.replies


def test_the_worker_answers_all_of_many(project_path: Path, run: Run) -> None:
    common = {"cmd": "predict", "project": str(project_path), "run": str(run)}
    replies = ask({**common, "id": 1, "ids": list(range(1, 25))}, {**common, "id": 3, "ids": []}, answers=2)
    answered = [i for r in replies if r["id"] == 1 for i in r["ids"]]  # type: ignore[attr-defined]
    assert answered == list(range(1, 25))
    assert np.array(replies[0]["points"]).shape[1:] == (15, 2)
    assert [r["done"] for r in replies if r["id"] == 3] == [True]


def test_one_face_goes_before_the_rest_of_many(project_path: Path, run: Run) -> None:
    common = {"cmd": "predict", "project": str(project_path), "run": str(run)}
    out = Asking((), 0)
    worker = Worker(out)
    worker.take({**common, "id": 1, "ids": list(range(1, 25))})
    worker.work()  # a first piece
    worker.take({**common, "id": 2, "ids": [5]})
    worker.take({**common, "id": 3, "ids": [6, 7]})
    worker.take({"cmd": "cancel", "id": 3})
    while worker.waiting:
        worker.work()
    worker.close()
    assert [(r["id"], len(r["ids"])) for r in out.replies] == [(2, 1), (1, 24)]  # type: ignore[arg-type]


def test_the_worker_tells_errors_and_goes_on(project_path: Path, run: Run) -> None:
    common = {"cmd": "predict", "project": str(project_path), "ids": [1]}
    replies = ask({**common, "id": 2, "run": "nowhere"}, {**common, "id": 3, "run": str(run)}, answers=2)
    told = {r["id"]: r for r in replies}
    assert "no model" in str(told[2]["error"])
    assert told[3]["done"]
    assert ask({"cmd": "quit"}, {**common, "id": 1, "run": str(run)}, answers=0) == []
