"""The watch for troubles in training: each fault is reported in a run that has it, and nothing in healthy runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers.training_data import SCHEMA, SIDE, dots, make_data, make_run, tiny_config
from training.learning.fit.step.trainer import Trainer
from training.learning.fit.train_run import train_run
from training.learning.fit.troubles.label_scale import label_troubles
from training.learning.fit.troubles.steps import Pulse
from training.learning.fit.troubles.units import Layer, watched_units
from training.learning.fit.troubles.watch import TroubleWatch, not_a_number, unreadable_images
from training.learning.fit.validation import validate
from training.learning.models.plain_cnn import CNN6
from training.learning.models.staged.patches import PatchNets
from training.storage.runs.events import EpochDone, Event, RunFailed, Trouble
from training.storage.runs.inputs.data import RunData
from training.synthetic.faces import make_faces

# The cascade report's: light / 256, points as (y - 48) / 48, Xavier, plain SGD, biases zero.
REPORT = {
    "pixels": "unit",
    "targets": "points",
    "init": "xavier",
    "optimizer": "sgd",
    "loss": "mse",
    "learning_rate": "1e-3",
    "momentum": "0",
    "weight_decay": "0",
    "warmup": "0",
    "schedule": "constant",
    "ema": "0",
    "flip_average": "no",
}

EPOCH = EpochDone(
    epoch=1,
    train_loss=1.0,
    val_loss=1.0,
    rmse=1.0,
    nme=0.1,
    normaliser="interocular",
    ced=(),
    auc=0.5,
    failure_rate=0.0,
    per_keypoint=(),
    learning_rate=1e-3,
    images_per_second=1.0,
    seconds=1.0,
    best=False,
)


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of CNN-6's widths, for speed."""
    monkeypatch.setattr(CNN6, "widths", (8, 16, 32, 64, 128))


def troubles(**settings: str) -> Iterator[Trouble]:
    """The watch's report on a short run on the dots."""
    epochs = int(settings.setdefault("epochs", "6"))
    plain = {"flip": "0", "rotation": "0", "brightness": "0", "contrast": "0", "scale": "0", "shift": "0"}
    trainer = Trainer(tiny_config(**plain, **settings), make_data(train=48, val=24)[0])
    for epoch in range(epochs):
        for rows in trainer.epoch_rows():
            trainer.train_step(rows, done=epoch / epochs)
            yield from trainer.watch.alarm()
        if not np.isfinite(trainer.train_loss):
            return
        yield from trainer.watch.check(validate(trainer, rate=0.0, speed=0.0), done=(epoch + 1) / epochs)
        trainer.end_epoch()


@pytest.mark.parametrize("model", ["cnn-6", "mlp", "ml-resnet"])
def test_a_healthy_run_hears_nothing(model: str) -> None:
    assert list(troubles(model=model, epochs="8")) == []


def test_the_unsolved_failure_of_the_cascade_report_is_named_with_its_cause() -> None:
    """Deep convolutions with Xavier weights on inputs 0..1: the same points for every image, from the output's bias."""
    (found,) = troubles(model="cnn-6", **REPORT)
    assert found.kind == "faint-signal"
    for words in ("same points for every image", "output's bias", "outweighs the signal", "mean shape", "init he"):
        assert words in found.sentence


def test_dead_layers_are_told_from_faint_ones_and_laid_to_the_learning_rate() -> None:
    (found,) = troubles(model="cnn-6", learning_rate="0.3", warmup="0", ema="0")
    assert found.kind == "dead-units"
    for words in (
        "same points for every image",
        "are dead",
        "only the output's bias is left",
        "learning rate ten times smaller",
    ):
        assert words in found.sentence


def test_a_learning_rate_far_too_low_or_too_high_is_named() -> None:
    (low,) = troubles(model="mlp", learning_rate="1e-8")
    assert low.kind == "learning-rate-low"
    (high,) = troubles(model="mlp", learning_rate="0.5", warmup="0")
    assert high.kind == "learning-rate-high"
    assert "ten times smaller" in high.sentence


def test_exploding_gradients_are_named_before_the_loss_is_no_number() -> None:
    kinds = [t.kind for t in troubles(model="mlp", optimizer="sgd", loss="mse", learning_rate="0.01", warmup="0")]
    assert kinds == ["exploding"]


def test_the_alarm_comes_in_the_events_of_a_run(tmp_path: Path) -> None:
    data, snapshot = make_data(train=48, val=8)
    config = tiny_config(model="mlp", optimizer="sgd", loss="mse", learning_rate="0.1", warmup="0")
    events: list[Event] = []
    last = train_run(make_run(tmp_path, config, snapshot), data=data, on_event=events.append)
    assert isinstance(last, RunFailed)
    assert [e.kind for e in events if isinstance(e, Trouble)] == ["exploding", "nan"]


def test_labels_in_fractions_are_told_before_the_training(tmp_path: Path) -> None:
    images, points = dots(40)
    points = (points / SIDE).astype(np.float32)
    rows, sizes = np.arange(40), np.full((40, 2), SIDE, np.int32)
    data = RunData(images, points, sizes, rows[:30], rows[30:], SCHEMA)
    events: list[Event] = []
    config = tiny_config(model="mlp", epochs="1")
    train_run(make_run(tmp_path, config, make_data(train=4)[1]), data=data, on_event=events.append)
    assert isinstance(events[1], Trouble)
    assert events[1].kind == "label-scale"
    assert "fractions that were read as pixels" in events[1].sentence


def label_kinds(points: np.ndarray, side: float = 96) -> list[str]:
    return [t.sentence for t in label_troubles(points, np.full((len(points), 2), side))]


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """Points [40, 15, 2] of synthetic faces in 96 px, half of them with Kaggle's gaps."""
    points = make_faces(40, seed=1).points.copy()
    points[::2, 4:] = np.nan
    return points


def test_labels_at_the_scale_of_their_images_hear_nothing(labels: np.ndarray) -> None:
    assert label_kinds(labels) == []
    assert label_kinds(labels[:5] / 96) == []  # too few to judge
    varied = labels * np.exp(np.random.default_rng(0).uniform(-1.2, 0, (40, 1, 1)))  # all sizes of faces in photographs
    assert label_kinds(varied + 10) == []
    assert label_kinds(np.full((40, 15, 2), np.nan)) == []


def test_each_mistake_of_scale_is_named(labels: np.ndarray) -> None:
    assert "between 0 and 1" in label_kinds(labels / 96)[0]
    assert "between -1 and 1" in label_kinds((labels - 48) / 48)[0]
    assert "outside their images" in label_kinds(labels * 4)[0]
    assert "upper left" in label_kinds(labels, side=400)[0]
    mixed = labels.copy()
    mixed[:12] /= 96
    assert "12 faces" in label_kinds(mixed)[0]
    assert "smaller" in label_kinds(mixed)[0]


def test_small_faces_of_large_photographs_are_not_taken_for_a_scale(labels: np.ndarray) -> None:
    mixed = labels.copy()
    mixed[:12] = mixed[:12] / 5 + 40  # a fifth of the size, in the middle of the image
    assert label_kinds(mixed) == []
    mixed = labels.copy()
    mixed[:10] *= 6  # labels of larger images
    assert "10 faces are about 6 times larger" in label_kinds(mixed)[0]


def test_images_that_cannot_be_read_are_counted() -> None:
    assert unreadable_images(("a.png is cut off.",)).sentence == (
        "1 image was skipped because it cannot be read: a.png is cut off."
    )
    assert unreadable_images(("a.png is cut off.", "b")).sentence == (
        "2 images were skipped because they cannot be read; the first: a.png is cut off."
    )


def test_what_is_kept_of_a_run_that_ends_without_a_number() -> None:
    assert "no model to keep" in not_a_number(1, best_epoch=0).sentence
    assert "in epoch 7" in not_a_number(7, best_epoch=5).sentence
    assert "from epoch 5, is kept" in not_a_number(7, best_epoch=5).sentence


def test_dead_units_are_counted_per_layer() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3), nn.ReLU())
    with torch.no_grad():
        net.get_parameter("0.weight").copy_(torch.tensor([1.0, 1, -1, -1]).view(4, 1, 1, 1))
        net.get_parameter("0.bias").zero_()
        with watched_units(net) as units:
            for _ in range(3):
                net(torch.rand(10, 1, 2, 2))
        net(torch.rand(10, 1, 2, 2))  # no longer watched
    assert list(units.layers) == ["1", "4"]
    assert units.layers["1"].dead == 0.5
    assert units.layers["1"].images == 30


def test_one_dead_network_of_several_in_one_is_seen() -> None:
    net = PatchNets(keypoints=3, channels=1, side=16)
    with torch.no_grad():
        for bias in (net.get_parameter("hidden.bias"), net.get_parameter("hidden.weight")):
            bias.view(3, -1)[1] = -1.0  # the second keypoint's
        with watched_units(net) as units:
            net(torch.rand(30, 3, 16, 16))
    name, layer = units.worst() or ("", Layer(torch.zeros(0), 0))
    assert name == "relu (4)"
    assert (layer.dead, layer.size) == (1.0, 64)


def test_dead_units_of_a_second_stage_are_told_though_the_first_finds_the_points() -> None:
    watch = TroubleWatch(8.0)
    watch.liveliness = 1.0
    watch.units.layers = {
        "first.relu": Layer(torch.zeros(100), 30),  # healthy layers are not checked
        "second.relu (4)": Layer(torch.cat((torch.ones(64), torch.zeros(64))), 30, groups=2),
    }
    epoch = replace(EPOCH, epoch=9, stage=1, stages=2, rmse=2.0)
    assert watch.check(epoch, done=0.6) == []
    (found,) = watch.check(replace(epoch, stage=2), done=0.7)
    assert found.kind == "dead-units"
    assert found.sentence.startswith("64 of the 64 units of second.relu (4) in one keypoint's network are dead")
    assert watch.check(replace(epoch, stage=2), done=0.8) == []


def test_a_step_is_measured_against_the_weights() -> None:
    net = nn.Linear(4, 1, bias=False)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    pulse = Pulse()
    expected = []
    for step in range(6):
        optimizer.zero_grad()
        net(torch.ones(1, 4)).sum().backward()  # a gradient of (1, 1, 1, 1)
        pulse.look(net, step)
        expected.append(0.2 / float(net.weight.detach().norm()))
        optimizer.step()
    assert pulse.norms == [2.0] * 4  # at 0, 1, 2, 4
    assert pulse.ratios == pytest.approx([expected[i] for i in (0, 1, 2, 4)], rel=1e-5)
    assert pulse.exploded() == 0
