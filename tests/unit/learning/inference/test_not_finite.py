"""A model whose weights or answers are not finite is refused wherever it is used, and nothing is stored."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers.training_data import tiny_config
from training.cli import main as fkp
from training.errors import USER_ERROR, UserError
from training.faces.labels.schema import KAGGLE_15
from training.learning.evaluation.evaluate import evaluate_run
from training.learning.fit.initial_weights.warm_start import warm_start
from training.learning.inference.checkpoint import ModelInfo, load_model, save_model, write_compact
from training.learning.inference.predictor import Predictor
from training.learning.inference.serve import Worker, _accept
from training.learning.models.registry import make_model
from training.storage.project.project import Project
from training.storage.project.tables.predictions import predicted_ids
from training.storage.runs.new_run import create_run
from training.storage.runs.run import MODEL, Run

CONFIG = tiny_config(model="light", width="0.1", upright="true", label_offset="true")


def model_file(folder: Path, spoil: Callable[[dict[str, Tensor]], None] = lambda _: None) -> Run:
    folder.mkdir(exist_ok=True)
    state = {name: value.clone() for name, value in make_model(CONFIG, 15).state_dict().items()}
    spoil(state)
    save_model(folder / MODEL, state, ModelInfo(CONFIG, KAGGLE_15, "float32"))
    return Run(folder / MODEL)


def not_a_number(state: dict[str, Tensor]) -> None:
    state["network.output.maps.bias"][0] = float("nan")


def infinite(state: dict[str, Tensor]) -> None:
    state["offsets.common"][0, 1] = float("inf")


def overflowing(state: dict[str, Tensor]) -> None:
    """Finite weights, whose products are not."""
    for value in state.values():
        if value.is_floating_point():
            value.mul_(1e30)


@pytest.mark.parametrize("spoil", [not_a_number, infinite])
def test_weights_that_are_not_finite_are_refused_wherever_a_model_is_loaded(
    tmp_path: Path, spoil: Callable[[dict[str, Tensor]], None]
) -> None:
    model = model_file(tmp_path, spoil)
    config = CONFIG.changed(start_from=str(model))
    uses: tuple[Callable[[], object], ...] = (
        lambda: load_model(model),
        lambda: Predictor.load(model, "cpu"),
        lambda: write_compact(model, tmp_path / "compact.safetensors"),
        lambda: warm_start(make_model(CONFIG, 15), config, KAGGLE_15, faces=10),
    )
    for use in uses:
        with pytest.raises(UserError, match=r"weights that are not finite \((network|offsets).*smaller learning rate"):
            use()
    assert not (tmp_path / "compact.safetensors").exists()


def test_answers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    predictor = Predictor.load(model_file(tmp_path, overflowing), "cpu")
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 40), np.uint8)
    for predict in (predictor.predict, predictor.predict_points):
        with pytest.raises(UserError, match=r"model.safetensors predicts positions that are not finite"):
            predict(images)


@pytest.mark.parametrize("model", ["light", "cnn-6", "cnn-6-7", "cascade"])
def test_images_without_any_contrast_have_finite_answers(model: str) -> None:
    """Else a sound model would be refused for one of them."""
    width = {"width": "0.1"} if model == "light" else {}
    config = tiny_config(model=model, input_size="64", upright="true", **width)
    network = make_model(config, 15).eval()
    predictor = Predictor(network, ModelInfo(config, KAGGLE_15, "float32"), torch.device("cpu"))
    for value in (0, 255):
        points, confidences = predictor.predict(np.full((2, 70, 50), value, np.uint8))
        assert np.isfinite(points).all() and np.isfinite(confidences).all()


def commands(project: Path, model: Run, out: Path) -> list[list[str]]:
    return [
        ["predict", str(project), "--model", str(model), "--out", str(out)],
        ["fill", str(project), "--run", model.name],
        ["evaluate", str(project), "--run", model.name, "--split", "train"],
    ]


@pytest.mark.parametrize("spoil", [not_a_number, overflowing])
def test_commands_store_and_write_nothing(
    project_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[dict[str, Tensor]], None]
) -> None:
    run = run_in(project_path, spoil)
    out = tmp_path / "out.csv"
    before = sorted(path.name for path in run.path.iterdir())
    for command in commands(project_path, run, out):
        assert fkp(command) == USER_ERROR, command
        assert "not finite" in capsys.readouterr().err
    assert not out.exists()
    assert sorted(path.name for path in run.path.iterdir()) == before
    with Project.open(project_path, read_only=True) as project:
        assert not len(predicted_ids(project.database, run.name))
        with pytest.raises(UserError, match="not finite"):
            evaluate_run(project, run, "train")


def run_in(project_path: Path, spoil: Callable[[dict[str, Tensor]], None] = lambda _: None) -> Run:
    with Project.open(project_path) as project:
        run = create_run(project, CONFIG)
    model_file(run.path, spoil)
    return run


def worked(worker: Worker, out: io.StringIO, *, pieces: int = 9) -> list[dict[str, Any]]:
    """The answers of a worker to all that it was asked."""
    for _ in range(pieces):
        if worker.waiting:
            worker.work()
    worker.close()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_the_worker_survives_models_that_are_not_finite(project_path: Path) -> None:
    good = run_in(project_path)
    common = {"cmd": "predict", "project": str(project_path)}
    out = io.StringIO()
    worker = Worker(out)
    for number, spoil in enumerate((not_a_number, overflowing)):
        worker.take({**common, "id": number, "ids": [1, 2, 3], "run": str(run_in(project_path, spoil))})
    worker.take({**common, "id": 2, "ids": [1, 2, 3], "run": str(good)})
    told = worked(worker, out)
    assert [reply["id"] for reply in told] == [0, 1, 2]
    assert all("not finite" in reply["error"] for reply in told[:2])
    assert told[2]["ids"] == [1, 2, 3] and told[2]["done"]


ODD: tuple[Any, ...] = (
    None,
    True,
    7,
    "quit",
    [],
    ["cmd"],
    {},
    {"id": 1},
    {"cmd": None, "id": 1},
    {"cmd": ["predict"], "id": 1},
    {"cmd": "predict", "id": 1},
    {"cmd": "predict", "id": 1, "ids": 3, "project": "p", "run": "r"},
    {"cmd": "predict", "id": 1, "ids": [None], "project": "p", "run": "r"},
    {"cmd": "predict", "id": 1, "ids": [[1]], "project": "p", "run": "r"},
    {"cmd": "predict", "id": 1, "ids": [2**70], "project": "p", "run": "r"},
    {"cmd": "predict", "id": 1, "ids": [1.5], "project": "p", "run": "r"},
    {"cmd": "predict", "id": 1, "ids": [1], "project": 3, "run": "r"},
    {"cmd": "predict", "id": 1, "ids": [1], "project": "p", "run": None},
    {"cmd": "augment", "id": 1, "ids": [1], "project": "p", "config": 5, "seed": 0},
    {"cmd": "augment", "id": 1, "ids": [1], "project": "p", "config": {}, "seed": "x"},
    {"cmd": "cancel", "id": {}},
    {"cmd": "cancel"},
    {"cmd": "explode", "id": 1},
)
SPELT = (
    '{"cmd":"predict","id":1,"ids":[1e999],"project":"p","run":"r"}',
    '{"cmd":"predict","id":NaN,"ids":[1]}',
    '{"cmd":"cancel","id":Infinity}',
    "[" * 100_000,
    '{"a":' * 50_000,
    "1" * 10_000,
    "{",
    "\x00",
    "\ufffd\ufffd",
    " ",
)


@pytest.mark.parametrize("odd", [json.dumps(value) for value in ODD] + list(SPELT), ids=lambda text: text[:40])
def test_the_worker_survives_odd_requests(capsys: pytest.CaptureFixture[str], odd: str) -> None:
    """What says whose it is gets an error; the next request is answered."""
    out = io.StringIO()
    worker = Worker(out)
    for line in (odd, json.dumps({"cmd": "predict", "id": 2, "ids": [], "project": "p", "run": "r"})):
        assert _accept(f"{line}\n", worker)
    found = worked(worker, out)
    assert found[-1] == {"id": 2, "ids": [], "points": [], "confidences": [], "model": "", "done": True}
    assert all(reply["id"] == 1 and "does not understand" in reply["error"] for reply in found[:-1])
    assert "not a request" in capsys.readouterr().err


@pytest.mark.parametrize(
    "odd",
    [
        {"ids": [-1]},
        {"ids": [10**9]},
        {"ids": [2**62]},
        {"ids": [1], "project": "\0"},
        {"ids": [1], "run": "\0"},
        {"ids": [1], "project": "/dev/null"},
        {"ids": [1], "run": "x" * 5000},
        {"cmd": "augment", "ids": [1], "config": {"input_size": 10**9}, "seed": 0},
        {"cmd": "augment", "ids": [-3], "config": {}, "seed": -1},
    ],
)
def test_the_worker_answers_what_cannot_be_done_with_an_error(project_path: Path, odd: dict[str, Any]) -> None:
    run = run_in(project_path)
    common = {"cmd": "predict", "project": str(project_path), "run": str(run), "id": 1}
    out = io.StringIO()
    worker = Worker(out)
    worker.take({**common, **odd})
    worker.take({**common, "id": 2, "ids": [1, 2]})
    told = worked(worker, out)
    assert [("error" in reply, reply["id"]) for reply in told] == [(True, 1), (False, 2)]
