"""Runs of two-stage models: the start of stage 2, its training data, the stored model, and exact resumes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.narrow_networks import make_narrow
from tests.helpers.training_data import make_data, make_run, tiny_config
from training.faces.labels.splits import numbered
from training.learning.fit.step.stages import held_out
from training.learning.fit.step.trainer import Trainer
from training.learning.fit.train_run import train_run
from training.learning.inference.checkpoint import load_model, load_resume
from training.learning.inference.predictor import Predictor
from training.learning.models.staged.base import StagedNet
from training.storage.runs.events import EpochDone, Event, Progress, RunFinished, Trouble, from_line, to_line
from training.storage.runs.folder import read_events
from training.storage.runs.inputs.data import RunData
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig

NAMES = ("cascade", "cnn-6-7")


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fast networks of the same depth."""
    make_narrow(monkeypatch)


def config(name: str, **settings: str) -> RunConfig:
    side = "64" if name == "cnn-6-7" else "32"
    return tiny_config(**{"stage_split": "0.5", "input_size": side, **settings}).changed(model=name)


def data(name: str) -> RunData:
    """The dots of training_data at the network's input size."""
    found = make_data()[0]
    if name == "cascade":
        return found
    assert isinstance(found.images, np.ndarray)
    return replace(found, images=found.images.repeat(2, axis=1).repeat(2, axis=2), points=2 * found.points + 0.5)


def train(run: Run, name: str, **options: object) -> list[Event]:
    events: list[Event] = []
    train_run(run, data=data(name), on_event=events.append, **options)  # type: ignore[arg-type]
    return events


def new_run(folder: Path, name: str, **settings: str) -> Run:
    return make_run(folder, config(name, **settings), make_data()[1])


def curve(run: Run) -> list[EpochDone]:
    events, _ = read_events(run)
    return [replace(e, seconds=0, images_per_second=0) for e in events if isinstance(e, EpochDone)]


def stop_after(batches: int) -> Callable[[], bool]:
    calls = iter(range(1, 10_000))
    return lambda: next(calls) >= batches


@pytest.mark.parametrize(("name", "stops"), [("cascade", (2, 9)), ("cnn-6-7", (6, 10))])
def test_stop_and_resume_is_the_uninterrupted_run_in_each_stage(
    tmp_path: Path, name: str, stops: tuple[int, ...]
) -> None:
    """Stopped in stage 1, at its end, and in stage 2: of 6 batches each."""
    whole = new_run(tmp_path / "whole", name)
    told = train(whole, name)
    assert [e.stage for e in curve(whole)] == [1, 1, 2, 2]
    assert {e.stages for e in told if isinstance(e, (EpochDone, Progress))} == {2}
    weights = load_resume(whole.resume)
    for batches in stops:
        parts = new_run(tmp_path / f"parts{batches}", name)
        train(parts, name, should_stop=stop_after(batches))
        assert Predictor.load(parts).predict_points(data(name).images[:2]).shape == (2, 3, 2)
        train(parts, name, resume=True)
        assert curve(parts) == curve(whole)
        resumed = load_resume(parts.resume)
        assert all(torch.equal(value, resumed["model"][key]) for key, value in weights["model"].items())


@pytest.mark.parametrize("name", NAMES)
def test_the_second_stage_makes_it_better_and_leaves_the_first_alone(tmp_path: Path, name: str) -> None:
    """With a first stage of two epochs the second does most of the work; the stored model runs both."""
    run = new_run(tmp_path, name, epochs="14", learning_rate="3e-3", ema="0.5", stage_split="0.15")
    events = train(run, name)
    last = events[-1]
    assert isinstance(last, RunFinished)
    epochs = curve(run)
    first = [e for e in epochs if e.stage == 1]
    assert len(first) == 2
    assert last.rmse == min(e.rmse for e in epochs) < 0.8 * min(e.rmse for e in first)
    model, _ = load_model(run)
    assert isinstance(model, StagedNet)
    assert model.number == 2
    saved = load_resume(run.resume)["average"]
    assert all(torch.equal(value, saved[f"first.{key}"]) for key, value in model.first.state_dict().items())


def test_the_best_model_may_be_that_of_stage_1(tmp_path: Path) -> None:
    """A failing second stage does no harm: the stored model answers with stage 1."""
    run = new_run(tmp_path, "cascade", learning_rate="1e-2", stage_rate="100", ema="0", loss="wing")
    events = train(run, "cascade")
    assert "stage-2" in [e.kind for e in events if isinstance(e, Trouble)]
    epochs = curve(run)
    model, _ = load_model(run)
    assert isinstance(model, StagedNet)
    assert model.number == next(e.stage for e in reversed(epochs) if e.best) == 1


@pytest.mark.parametrize("name", NAMES)
def test_stage_1_never_sees_the_rows_whose_mistakes_stage_2_learns_from(name: str) -> None:
    trainer = Trainer(config(name), data(name))
    held = set(trainer.stages.held.tolist())
    assert len(held) == 7  # 15 % of 48
    assert not held & {int(r) for batch in trainer.epoch_rows() for r in batch}
    done = 0.5
    trainer.next_stage(done)
    assert trainer.stages.number == 2
    assert trainer.stages.done(0.5) == 0.0
    assert trainer.stages.done(0.75) == 0.5
    assert trainer.stages.done(1.0) == 1.0
    rows = {int(r) for epoch in range(6) for r in rows_of(trainer, epoch)}
    assert held & rows


def rows_of(trainer: Trainer, epoch: int) -> list[int]:
    trainer.epoch = epoch
    return [int(r) for batch in trainer.epoch_rows() for r in batch]


def test_a_budget_of_minutes_begins_stage_2_within_the_epoch(tmp_path: Path) -> None:
    run = new_run(tmp_path, "cascade", epochs="none", minutes="0.03", batch_size="1")
    train(run, "cascade")
    stages = [e.stage for e in curve(run)]
    assert stages[0] == 1
    assert stages[-1] == 2
    assert stages == sorted(stages)


def test_groups_are_held_out_whole_where_they_are_small() -> None:
    some = make_data()[0]
    people = np.arange(len(some.points)) // 4  # 12 people in train, with 4 images each
    held = held_out(replace(some, groups=people), seed=1)
    assert len(held) == 8
    assert len(set(people[held])) == 2
    two = held_out(replace(some, groups=np.arange(len(some.points)) // 32), seed=1)
    assert len(two) == 7
    assert len(held_out(replace(some, train=some.train[:1]), seed=0)) == 1
    numbers = numbered(["ann", "", "bob", "ann", ""])
    assert numbers[0] == numbers[3]
    assert len(set(numbers.tolist())) == 4


def test_the_schedule_starts_anew_with_the_stage() -> None:
    trainer = Trainer(config("cascade", warmup="0", schedule="cosine", stage_rate="0.5"), data("cascade"))
    assert trainer.rate(0.0) == pytest.approx(1e-3)
    assert trainer.rate(0.5) == pytest.approx(0)
    trainer.next_stage(0.5)
    assert trainer.rate(0.5) == pytest.approx(0.5e-3)
    assert trainer.rate(1.0) == pytest.approx(0)


def test_the_doctor_looks_at_the_first_steps_of_each_stage() -> None:
    trainer = Trainer(config("cascade"), data("cascade"))
    for step in range(6):
        if step == 3:
            trainer.next_stage(0.5)
            assert trainer.watch.pulse.norms == []
        trainer.train_step(trainer.epoch_rows()[0], done=step / 6)
    assert len(trainer.watch.pulse.norms) == 3  # at the stage's steps 0, 1 and 2
    assert trainer.watch.pulse.steps == 2


def test_wing_and_rotation_are_the_papers_in_each_stage() -> None:
    trainer = Trainer(config("cnn-6-7", loss="wing", wing_w="15", wing_epsilon="3", rotation="30"), data("cnn-6-7"))
    one = trainer.stages.config
    assert (one.objective.wing_w, one.objective.wing_epsilon, one.augment.rotation) == pytest.approx((10, 2, 30))
    trainer.next_stage(0.5)
    two = trainer.stages.config
    assert (two.objective.wing_w, two.objective.wing_epsilon) == (15, 3)


def test_events_of_older_files_have_one_stage() -> None:
    event = Progress(1, 2, 3, 4.0, 5.0, 0.6, 7.0)
    values = json.loads(to_line(event, time=0.0))
    assert (values.pop("stage"), values.pop("stages")) == (1, 1)
    assert from_line(json.dumps(values)) == event
