"""Starter models: found, named, used like a run, and as the start of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import make_project
from tests.helpers.photos import tiny_config, write_starter
from training import cli
from training.errors import UserError
from training.faces.labels.labels import Origin
from training.faces.labels.run_names import run_number, run_title
from training.faces.labels.schema import IBUG_68, KAGGLE_15, schema_from_names
from training.learning.fit.initial_weights.warm_start import copy_weights, warm_start
from training.learning.inference.checkpoint import load_model, write_compact
from training.learning.inference.predictor import Predictor
from training.learning.models.registry import make_model
from training.storage.project.edits.unset_accepted import unset_accepted
from training.storage.project.project import Project
from training.storage.project.tables.predictions import prediction_runs
from training.storage.runs.model.starters import starter_for, starter_runs, starters
from training.storage.runs.run import Run, starters_folder


@pytest.fixture
def starter(home: Path) -> Path:
    """The only starter, for the 15 points."""
    return write_starter(starters_folder())


def fkp(*words: object) -> int:
    return cli.main([str(word) for word in words])


def test_a_name_and_a_number_tell_the_same() -> None:
    assert run_number("starter-68") == -68 and run_title(-68) == "starter-68"
    assert run_number("0012-cnn-6") == 12 and run_title(12) == "run 12"
    for name in ("starter-", "starter-x", "starter-015"):
        with pytest.raises(UserError):
            run_number(name)


def test_starters_are_found_by_their_keypoints(starter: Path) -> None:
    (starters_folder() / "face-7.safetensors").write_bytes(b"damaged")
    assert [(s.name, s.path) for s in starters()] == [("starter-15", starter)]
    found = starter_for(KAGGLE_15)
    assert found is not None and found.config == tiny_config() and found.room == 0.15
    assert starter_for(IBUG_68) is None
    run = starter_runs(Path("p.fkp/runs"), KAGGLE_15)[0]
    assert run.is_starter and run.has_model and not run.is_stale("a hash")


def test_a_project_is_filled_from_a_starter_and_knows_it(starter: Path, project_path: Path) -> None:
    with Project.open(project_path) as project:
        before = project.labels(project.ids())
    assert fkp("fill", project_path, "--run", "starter-15", "--plain") == 0
    with Project.open(project_path) as project:
        labels = project.labels(project.ids())
        filled = labels.origins == Origin.MODEL
        assert np.array_equal(filled, before.missing) and filled.any()
        assert set(labels.runs[filled].tolist()) == {-15}
        assert prediction_runs(project.database) == ["starter-15"]
        assert unset_accepted(project, "starter-15").points == filled.sum()
        assert project.labels(project.ids()).same_as(before)
    assert not [path for path in (project_path / "runs").iterdir() if path.is_dir() and not path.name.startswith(".")]


def test_a_starter_that_is_not_there_is_told(project_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("fill", project_path, "--run", "starter-15") == 2
    assert "There is no starter 'starter-15'; the starters are not part" in capsys.readouterr().err


def test_a_compact_model_predicts_the_same(starter: Path, tmp_path: Path) -> None:
    size = write_compact(Run(starter), tmp_path / "small.safetensors")
    assert size < 0.62 * starter.stat().st_size
    images = np.random.default_rng(0).integers(0, 255, (3, 40, 40), np.uint8)
    whole, small = (
        Predictor.load(Run(path), "cpu").predict(images)[0] for path in (starter, tmp_path / "small.safetensors")
    )
    assert np.abs(whole - small).max() < 0.02, "px of 40"
    assert all(
        value.dtype == torch.float32 for value in load_model(Run(tmp_path / "small.safetensors"))[0].parameters()
    )


@pytest.mark.parametrize(
    ("start_from", "faces", "taken"),
    [("", 3, False), ("auto", 999, True), ("auto", 1000, False), ("starter", 5000, True)],
)
def test_when_a_training_begins_with_the_starter(starter: Path, start_from: str, faces: int, taken: bool) -> None:
    config = tiny_config(start_from=start_from)
    torch.manual_seed(5)
    model, theirs = make_model(config, 15), load_model(Run(starter))[0]
    words = warm_start(model, config, KAGGLE_15, faces=faces)
    x = torch.rand(2, 1, 32, 32)
    with torch.inference_mode():
        same = torch.equal(model.eval()(x), theirs(x))
    assert same == taken and bool(words) == taken
    assert not taken or words == "starter-15: its network and 15 of 15 points"


def test_points_of_the_same_names_are_taken_over_and_offsets_are_not(starter: Path) -> None:
    names = ("chin", "nose_tip", "left_eye_center")
    config = tiny_config(start_from="starter", label_offset=True)
    theirs = load_model(Run(starter))[0]
    model = make_model(config, 3)
    chin = model.state_dict()["network.output.maps.weight"][0].clone()
    words = warm_start(model, config, schema_from_names(names), faces=10)
    assert words.endswith("2 of 3 points")
    ours, nose = model.state_dict(), KAGGLE_15.keypoints.index("nose_tip")
    for tensor, each in (("network.output.maps.weight", 1), ("network.output.offsets.bias", 2), ("origin", 1)):
        rows = theirs.state_dict()[tensor][each * nose : each * nose + each]
        assert torch.equal(ours[tensor][each : 2 * each], rows)
    assert torch.equal(ours["network.output.maps.weight"][0], chin)
    source = {**theirs.state_dict(), "offsets.common": torch.ones(15, 2)}
    copy_weights(model, config, source, ours=names, theirs=KAGGLE_15.keypoints)
    assert not model.state_dict()["offsets.common"].any()


def test_another_network_is_refused_where_it_was_asked_for(starter: Path, tmp_path: Path) -> None:
    config = tiny_config().changed(width=0.5)
    with pytest.raises(UserError, match="no starter of the network light"):
        warm_start(make_model(config, 15), config.changed(start_from="starter"), KAGGLE_15, faces=3)
    with pytest.raises(UserError, match="do not fit"):
        warm_start(make_model(config, 15), config.changed(start_from=str(starter)), KAGGLE_15, faces=3)
    assert warm_start(make_model(config, 15), config.changed(start_from="auto"), KAGGLE_15, faces=3) == ""


def test_a_run_says_from_what_it_started(starter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = make_project(tmp_path / "p.fkp", count=12)
    settings = ("width=0.1", "input_size=32", "threads=1", "precision=float32", "self_training=0")
    assert fkp("train", project, "--epochs", 1, "--device", "cpu", "--set", *settings) == 0
    assert "started from starter-15: its network and 15 of 15 points" in capsys.readouterr().err
