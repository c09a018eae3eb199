"""The weight of a point in the loss: by its origin, and by how hard its keypoint is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.training_data import SCHEMA, make_data, make_run, tiny_config
from training.faces.labels.labels import Origin
from training.learning.fit.saved_state import restore, save
from training.learning.fit.step.losses import HardPoints
from training.learning.fit.step.trainer import Trainer
from training.storage.project.project import Project
from training.storage.runs.inputs.data import load_run_data, point_weights
from training.storage.runs.inputs.snapshot import Snapshot, load_snapshot, snapshot_project
from training.storage.runs.new_run import write_run
from training.storage.runs.settings.config import with_overrides
from training.storage.runs.settings.recipes import recipe_config

CPU = torch.device("cpu")


def with_model_points(origin: Origin = Origin.MODEL) -> tuple[Snapshot, np.ndarray]:
    """A snapshot whose noses are accepted from a model."""
    _, snapshot = make_data(8, 4)
    origins = np.full(snapshot.states.shape, Origin.PERSON, np.uint8)
    origins[:, 2] = origin
    return replace(snapshot, origins=origins), origins


def test_points_from_a_model_count_as_much_as_the_setting_says() -> None:
    snapshot, _ = with_model_points()
    rows = np.arange(3, 9)
    weight = point_weights(snapshot, tiny_config(model_weight="0.25"), rows)
    assert weight is not None
    assert weight.tolist() == [[1.0, 1.0, 0.25]] * 6
    assert point_weights(snapshot, tiny_config(), rows) is None
    assert point_weights(replace(snapshot, origins=None), tiny_config(model_weight="0.25"), rows) is None
    person, _ = with_model_points(Origin.PERSON)
    assert point_weights(person, tiny_config(model_weight="0.25"), rows) is None


def test_the_snapshot_keeps_who_made_a_point_and_older_ones_can_still_be_read(tmp_path: Path) -> None:
    snapshot, origins = with_model_points()
    run = make_run(tmp_path, tiny_config(), snapshot)
    kept = load_snapshot(run).origins
    assert kept is not None
    assert np.array_equal(kept, origins)
    older = write_run(run.path.parent, tiny_config(), replace(snapshot, origins=None))
    assert "origins.npy" not in np.load(older.snapshot).files
    assert load_snapshot(older).origins is None


def test_weights_of_a_model_reach_the_training() -> None:
    """Half the noses are far off, like bad predictions: with a small weight their loss is small."""
    data, _ = make_data(8, 4)
    data.points[:4, 2] += 100
    weight = np.ones(data.mask.shape, np.float32)
    weight[:4, 2] = 0.1
    losses = {}
    for name, given in (("alike", None), ("weighed", weight)):
        trainer = Trainer(tiny_config(loss="l1", targets="points", flip="0.5"), replace(data, weight=given))
        trainer.train_step(torch.arange(8), done=0.5)
        losses[name] = trainer.train_loss
    assert losses["weighed"] < 0.5 * losses["alike"]


def test_the_weight_of_a_hard_keypoint_by_hand() -> None:
    hard = HardPoints(3, 0.5, CPU)
    assert hard.weights().tolist() == [1, 1, 1]
    target = torch.zeros(2, 3, 2)
    pred = torch.tensor([[[3.0, 4.0], [1.0, 0.0], [9.0, 9.0]], [[9.0, 0.0], [9.0, 9.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    hard.update(pred, target, mask)
    assert hard.errors.tolist() == [7, 1, 0]  # (5 + 9) / 2, 1, never seen
    assert hard.weights().tolist() == pytest.approx([(7 / 4) ** 0.5, (1 / 4) ** 0.5, 1])
    hard.update(target + torch.tensor([2.0, 0.0]), target, mask)
    assert hard.errors.tolist() == pytest.approx([0.98 * 7 + 0.02 * 2, 0.98 + 0.02 * 2, 0])


def test_a_missing_label_does_not_spoil_the_errors() -> None:
    hard = HardPoints(len(SCHEMA), 1.0, CPU)
    hard.update(torch.ones(1, 3, 2), torch.full((1, 3, 2), float("nan")), torch.zeros(1, 3, dtype=torch.bool))
    assert hard.weights().tolist() == [1, 1, 1]


def test_a_resumed_run_knows_which_keypoints_are_hard(tmp_path: Path) -> None:
    data, snapshot = make_data(16, 4)
    config = tiny_config(hard_points="1")
    run = make_run(tmp_path, config, snapshot)
    trainer = Trainer(config, data)
    trainer.train_step(torch.arange(16), done=0.5)
    save(trainer, run)
    again = Trainer(config, data)
    restore(again, run)
    assert trainer.hard_points is not None
    assert again.hard_points is not None
    assert torch.equal(trainer.hard_points.errors, again.hard_points.errors)
    for one in (trainer, again):
        one.train_step(torch.arange(16), done=0.5)
    pairs = zip(trainer.model.parameters(), again.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(("model_weight", "used"), [("1", 1.0), ("0.5", 0.5), ("0", 0.0)])
def test_a_run_reads_its_weights_and_leaves_out_what_weighs_nothing(
    project_path: Path, model_weight: str, used: float
) -> None:
    """The first point of the first four faces is a model's; the fourth is in val, where such points do not count."""
    config = with_overrides(recipe_config("ml-cnn"), {"model_weight": model_weight, "input_size": "32"})
    with Project.open(project_path, read_only=True) as project:
        snapshot = snapshot_project(project)
        assert snapshot.origins is not None
        snapshot.origins[:4, 0] = Origin.MODEL
        run = write_run(project.runs_dir, config, snapshot)
    data = load_run_data(run, config)
    assert data.mask[0, 0] == (used > 0)
    assert not data.mask[3, 0]
    assert data.mask[3, 1:].any()
    assert data.mask[4, 0]
    weight = np.ones(data.mask.shape) if data.weight is None else data.weight
    assert (weight * data.mask)[[0, 4], 0].tolist() == [used, 1.0]
