"""A run that balances by pose: the rows it draws, the files in its folder, the command's output."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.training_data import SIDE, make_run, tiny_config
from training import cli
from training.errors import UserError
from training.faces.labels.schema import KAGGLE_15
from training.faces.measures.pose_balance import balance, pose_components
from training.learning.fit.step.trainer import Trainer
from training.learning.fit.train_run import train_run
from training.storage.project.project import Project
from training.storage.runs.inputs.balance import project_poses, read_balance, row_weights
from training.storage.runs.inputs.data import RunData
from training.storage.runs.inputs.snapshot import Snapshot
from training.synthetic.demo import make_demo_project

TEMPLATE = np.array(KAGGLE_15.template) * SIDE
FOUR = [0, 1, 10, 14]


def turning_faces(*, few: int = 0) -> RunData:
    """48 train faces, six of them turned, with the nose off-centre. `few` of the frontal ones have four points."""
    rng = np.random.default_rng(0)
    turn = np.concatenate([rng.normal(0, 0.3, 42), [3, 3.2, 3.4, -3, -3.2, -3.4], rng.normal(0, 0.3, 8)])
    points = TEMPLATE + rng.normal(0, 0.05, (56, 15, 2))
    points[:, 10, 0] += turn
    points[:, [13, 14], 0] += 0.5 * turn[:, None]
    points[:few, [k for k in range(15) if k not in FOUR]] = np.nan
    images = rng.integers(0, 255, (56, SIDE, SIDE), np.uint8)
    sizes = np.full((56, 2), SIDE, np.int32)
    return RunData(
        images, points.astype(np.float32), sizes, np.arange(48), np.arange(48, 56), KAGGLE_15, ids=np.arange(56) + 1
    )


def drawn(trainer: Trainer, epochs: int) -> np.ndarray:
    rows = []
    for _ in range(epochs):
        rows += trainer.epoch_rows()
        trainer.end_epoch()
    return torch.cat(rows).numpy()


def test_faces_that_look_aside_are_drawn_more_often_and_an_epoch_stays_as_long() -> None:
    data = turning_faces()
    trainer = Trainer(tiny_config(balance="pose", balance_bins="3", sampling="rows"), data)
    rows = drawn(trainer, 200)
    assert len(rows) == 200 * 48
    found = balance(pose_components(data.points[:48], data.mask[:48], flip=KAGGLE_15.flip).coefficients, bins=3, seed=0)
    assert found.before.tolist() == [3, 42, 3]
    assert found.after.tolist() == [30, 42, 30]
    aside = np.isin(rows, np.arange(42, 48)).mean()
    assert aside == pytest.approx(60 / 102, abs=0.02)


def test_without_balance_every_row_is_drawn_as_before() -> None:
    weights, found = row_weights(turning_faces(few=20), tiny_config(sampling="labels"))
    assert found is None
    assert weights[:48].tolist() == [4.0] * 20 + [15.0] * 28


def test_labels_and_copies_are_multiplied() -> None:
    data = turning_faces(few=20)
    weights, found = row_weights(data, tiny_config(balance="pose", balance_bins="3", sampling="labels"))
    assert found is not None
    copies = found.balance.copies
    assert copies.max() == 10
    assert weights[:48].tolist() == (copies * np.repeat([4.0, 15.0], [20, 28])).tolist()


def test_a_run_whose_faces_tell_no_pose_says_so() -> None:
    data = turning_faces()
    alike = np.broadcast_to(TEMPLATE.astype(np.float32), data.points.shape)
    with pytest.raises(UserError, match="no face has them"):
        row_weights(replace(data, points=alike), tiny_config(balance="pose"))


def test_a_run_keeps_what_it_balanced(tmp_path: Path) -> None:
    data = turning_faces()
    states = np.isfinite(data.points[..., 0]).astype(np.uint8)
    splits = np.repeat(np.array([0, 1], np.uint8), (48, 8))
    assert data.ids is not None
    snapshot = Snapshot(data.ids, data.points.astype(float), states, splits, data.sizes, KAGGLE_15, "hash")
    run = make_run(tmp_path, tiny_config(balance="pose", balance_bins="3", epochs="1"), snapshot)
    assert read_balance(run) is None
    train_run(run, data=data)
    found = read_balance(run)
    assert found is not None
    assert found.balance.before.tolist() == [3, 42, 3]
    assert found.balance.after.tolist() == [30, 42, 30]
    assert found.ids[found.balance.copies > 1].tolist() == [43, 44, 45, 46, 47, 48]
    run.balance.write_text('{"edges": 3}', encoding="utf-8")
    with pytest.raises(UserError, match=r"balance\.json is damaged"):
        read_balance(run)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("poses") / "demo.fkp"
    make_demo_project(path, samples=40)
    return path


def test_the_poses_of_a_project_are_of_its_labelled_train_faces(demo: Path) -> None:
    with Project.open(demo, read_only=True) as project:
        poses = project_poses(project)
        index = project.index()
    assert poses.ids.tolist() == index.ids[index.splits == 0].tolist()
    assert poses.balanced(bins=5).before.sum() + poses.pose.lacking == len(poses.ids)


def test_the_command_tells_the_histogram(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["poses", str(demo), "--bins", "4", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["bins"]) == 4
    assert sum(b["faces"] for b in facts["bins"]) == facts["used"]
    assert facts["used"] + facts["lacking"] == facts["faces"]
    assert all(b["balanced"] >= b["faces"] for b in facts["bins"])
    assert cli.main(["poses", str(demo)]) == 0
    text = capsys.readouterr().out
    assert "below 0 the face looks to the left" in text
    assert cli.main(["poses", str(demo), "--bins", "1"]) == 2
