"""A training shared by two processes: the same result as with one, and all end if one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.conftest import make_project
from tests.helpers.training_data import make_data, tiny_config
from training.errors import UserError
from training.learning.augment.batch_random import BatchGenerator, normal, uniform
from training.learning.fit.parallel import launch
from training.learning.fit.parallel.launch import Place
from training.learning.fit.parallel.ranks import Ranks
from training.learning.fit.train_run import check_resumable, train_run
from training.learning.inference.checkpoint import load_resume
from training.storage.project.project import Project
from training.storage.runs.events import RunFinished
from training.storage.runs.listing import read_run
from training.storage.runs.new_run import create_run
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig, with_overrides
from training.storage.runs.settings.recipes import recipe_config

SETTINGS = {"device": "cpu", "precision": "float32", "threads": "1", "optimizer": "sgd", "learning_rate": "1e-3"}


def resnet() -> RunConfig:
    """With batch normalisation and dropout; batches of 5 and 4 for two processes. SGD, as Adam amplifies rounding."""
    texts = {**SETTINGS, "input_size": "32", "batch_size": "5", "epochs": "3"}
    return with_overrides(recipe_config("ml-resnet"), texts)


def two_stage() -> RunConfig:
    """Two networks in sequence, the second with random errors of the first."""
    return with_overrides(recipe_config("cnn-6-7"), {**SETTINGS, "input_size": "64", "batch_size": "9", "epochs": "2"})


def light() -> RunConfig:
    """Two heads, learnt label offsets, and pseudo-labels."""
    texts = {**SETTINGS, "input_size": "32", "width": "0.1", "batch_size": "5", "epochs": "3"}
    return with_overrides(recipe_config("recommended"), texts)


def endless() -> RunConfig:
    return with_overrides(tiny_config(), {"epochs": "100000", "batch_size": "9"})


def make_run(project_path: Path, config: RunConfig) -> Run:
    with Project.open(project_path, read_only=True) as project:
        return create_run(project, config)


def weights(run: Run) -> dict[str, torch.Tensor]:
    """The weights of the network in training, not of the stored average."""
    model: dict[str, torch.Tensor] = load_resume(run.resume)["model"]
    return model


def assert_alike(ours: Run, theirs: Run) -> None:
    """The last epoch and the weights of two runs, up to the order of sums in float32."""
    one, other = read_run(ours).last, read_run(theirs).last
    assert one is not None and other is not None
    assert other.epoch == one.epoch
    assert other.train_loss == pytest.approx(one.train_loss, rel=1e-4)
    assert other.rmse == pytest.approx(one.rmse, rel=1e-4)
    found = weights(theirs)
    for name, value in weights(ours).items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


def test_two_processes_do_what_one_does_and_end_together(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """One test, to start the processes once: loading torch takes longer than the rest."""
    project = make_project(tmp_path / "small.fkp")
    kinds = {"one stage": resnet(), "two stages": two_stage(), "light": light()}
    shared = {name: make_run(project, config) for name, config in kinds.items()}
    long = make_run(project, endless())
    command = [sys.executable, "-m", "tests.helpers.ranks", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with subtests.test("steps in float64, labels missing unevenly, with dropout: only the order of sums differs"):
        assert found["exact"]["cnn-6"] < 1e-12
    with subtests.test("with batch normalisation too, and its running statistics"):
        assert found["exact"]["ml-resnet"] < 1e-12
    assert found["trained"] == [[0, 0]] * 3
    for name, config in kinds.items():
        with subtests.test("a run is the run of one process", stages=name):
            alone = make_run(project, config)
            assert isinstance(train_run(alone), RunFinished)
            assert_alike(alone, shared[name])
    with subtests.test("a stop asked of any process ends all and keeps the model"):
        assert found["stopped"] == {"codes": [0, 0], "status": "stopped"}
    with subtests.test("a process that is killed ends the others with a sentence"):
        assert found["lost"]["codes"] == [1, -9]
        assert "resume the run" in found["lost"]["said"]
    with subtests.test("a process that hangs does so too"):
        assert found["silent"]["codes"] == [1]
        assert "no longer answers" in found["silent"]["said"]
    with subtests.test("no process outlives its launcher, and the run can go on"):
        assert found["orphaned"]["status"] in ("interrupted", "failed")  # one may see the other's end before its own
        check_resumable(long)


def test_torchrun_goes_on_with_a_run_of_one_process(project_path: Path) -> None:
    """With the setting `processes`, `fkp resume` starts torchrun itself; their number does not change the result."""
    alone = make_run(project_path, resnet())
    train_run(alone)
    parts = make_run(project_path, replace(resnet(), processes=2))
    calls = iter(range(100))
    train_run(parts, should_stop=lambda: next(calls) == 4)
    command = [sys.executable, "-m", "training.cli", "resume", str(parts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{parts}\n"  # only one process prints
    assert_alike(alone, parts)


def test_each_process_has_its_rows_of_the_batch_and_their_random_numbers() -> None:
    parts = [Ranks(Place(rank, 3, rank, 3)).slice(8) for rank in range(3)]
    assert [list(range(8)[part]) for part in parts] == [[0, 1], [2, 3, 4], [5, 6, 7]]
    whole = torch.Generator().manual_seed(1)
    expected = uniform(8, 2, generator=whole), normal(8, generator=whole)
    for part in parts:
        mine = BatchGenerator.of(1, count=8, part=part)
        count = part.stop - part.start
        assert torch.equal(uniform(count, 2, generator=mine), expected[0][part])
        assert torch.equal(normal(count, generator=mine), expected[1][part])
    with pytest.raises(UserError, match="cannot be shared by 3 processes"):
        Ranks(Place(0, 3, 0, 3)).slice(2)


def test_the_place_is_as_torchrun_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch.place() == Place()
    told = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    for name, value in {**told, "MASTER_ADDR": "h", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert launch.place() == Place(rank=3, count=4, local=1, locals=2)
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(UserError, match="RANK=x"):
        launch.place()


def test_one_process_for_each_graphics_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    config = tiny_config()
    assert launch.processes(config) == 1  # on the processor
    assert launch.processes(replace(config, device="auto")) == 4
    assert launch.processes(replace(config, device="auto", processes=2)) == 2
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, words: started.append(words))
    for stop in (True, False):
        launch.start_together(replace(config, device="cuda"), ["training", "train", "r"], should_stop=lambda s=stop: s)
    assert started[0][1:] == [
        *("-m", "training.learning.fit.parallel.together", "--standalone", "--nproc-per-node", "4"),
        *("-m", "training", "train", "r"),
    ]
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    launch.start_together(replace(config, device="cuda"), ["training", "train", "r"], should_stop=lambda: False)
    assert len(started) == 1  # torchrun did already


def test_other_data_has_another_fingerprint() -> None:
    data = make_data()[0]
    assert data.fingerprint() == make_data()[0].fingerprint()
    points = data.points.copy()
    points[-1] += 1
    assert replace(data, points=points).fingerprint() != data.fingerprint()
