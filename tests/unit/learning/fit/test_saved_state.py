"""A saved state is used only if all of it is what this run would have saved."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.narrow_networks import make_narrow
from tests.helpers.training_data import make_data, make_run, tiny_config
from training.errors import UserError
from training.learning.fit import saved_state
from training.learning.fit.saved_state import restore, save
from training.learning.fit.step.trainer import Trainer
from training.learning.inference.checkpoint import load_resume
from training.storage.runs.inputs.data import RunData
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig

_HUGE = 2**70
_RANDOM = 25  # states with one entry changed anywhere


def test_no_spoiled_state_crashes_a_training(tmp_path: Path) -> None:
    """Each is resumed in a process of its own: tensors of other shapes made the optimiser write past their end."""
    command = [sys.executable, "-m", "tests.helpers.spoiled_states", str(tmp_path), str(_RANDOM)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    assert {what: end for what, end in found.items() if end[0] in ("killed", "fault")} == {}
    assert len(found) > 60 + _RANDOM
    targeted = {what: end for what, end in found.items() if not what[0].isdigit()}
    assert {what: end for what, end in targeted.items() if end[0] != "sentence"} == {"thin": ["went on", ""]}
    assert {what: said for what, (_, said) in targeted.items() if said and "train again" not in said} == {}


@dataclass
class Saved:
    """A trainer, and the state that it saved."""

    trainer: Trainer
    run: Run
    state: dict[str, Any]

    def restored(self, state: dict[str, Any]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(saved_state, "load_resume", lambda _: state)
            restore(self.trainer, self.run)


def saved(folder: Path, config: RunConfig, data: RunData, *, stage: int = 1) -> Saved:
    run = make_run(folder, config, make_data()[1])
    trainer = Trainer(config, data)
    if stage > 1:
        trainer.next_stage(0.5)
    for rows in trainer.epoch_rows()[:2]:
        trainer.train_step(rows, done=0.9)
    save(trainer, run)
    return Saved(trainer, run, load_resume(run.resume))


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """With every optional part that a state of one stage can have."""
    data = make_data()[0]
    data = replace(data, unset=np.isnan(data.points).any(axis=-1))
    config = tiny_config(model="light", width="0.1", epochs="3", hard_points="0.5", self_training="0.7")
    return saved(tmp_path_factory.mktemp("light"), config, data)


@pytest.fixture(scope="module", params=("cascade", "cnn-6-7"))
def staged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saved]:
    """In the second of two stages."""
    side = 64 if request.param == "cnn-6-7" else 32
    data = make_data()[0]
    data = replace(data, images=np.zeros((len(data.points), side, side), np.uint8))
    config = tiny_config(model=request.param, input_size=str(side), epochs="3")
    with pytest.MonkeyPatch.context() as patch:
        make_narrow(patch)
        yield saved(tmp_path_factory.mktemp("staged"), config, data, stage=2)


def spoiled(state: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The state with a plain value or tensor at this place as something that it cannot be."""
    kinds: dict[str, Any] = {
        "text": "x",
        "none": None,
        "list": [1],
        "true": True,
        "huge": _HUGE,
        "tensor": torch.eye(3),
    }
    kinds |= {"nan": float("nan"), "below": -7, "a table": {}}
    old = _at(state, path)
    for kind, wrong in kinds.items():
        if not (isinstance(old, float) and kind == "nan"):  # an error that was not measured
            yield kind, _with(state, path, wrong)
    if isinstance(old, float):
        yield "a whole number", _with(state, path, 1)
    yield "deleted", _with(state, path[:-1], {k: v for k, v in _at(state, path[:-1]).items() if k != path[-1]})


def _at(state: dict[str, Any], path: tuple[str, ...]) -> Any:
    return _at(state[path[0]], path[1:]) if path else state


def _with(state: dict[str, Any], path: tuple[str, ...], value: Any) -> Any:
    return {**state, path[0]: _with(state[path[0]], path[1:], value)} if path else value


def refused(at: Saved, path: tuple[str, ...]) -> None:
    for kind, state in spoiled(at.state, path):
        with pytest.raises(UserError, match=r"damaged or does not belong to this run"):
            at.restored(state)
            pytest.fail(f"{path} as {kind} was taken")


def paths(at: Saved, *, but: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, value in at.state.items():
        if name not in but:
            yield from ((name, inner) for inner in value) if isinstance(value, dict) else [(name,)]


def test_every_value_of_a_state_is_compared(light: Saved) -> None:
    tried = list(paths(light, but=("stages", "model", "average", "optimizer")))
    assert {p[0] for p in tried} >= {"epoch", "batch", "threads", "precision", "doctor", "self_training", "hard_points"}
    for path in tried:
        refused(light, path)
    light.restored(light.state)


def test_every_value_of_a_state_in_stage_2_is_compared(staged: Saved) -> None:
    tried = [("stages", name) for name in staged.state["stages"]]
    assert len(tried) == 6
    for path in tried:
        refused(staged, path)
    staged.restored(staged.state)


@pytest.mark.parametrize(
    ("what", "spoil"),
    [
        ("batch", lambda s: {**s, "batch": s["batch"] + 100}),
        ("seen", lambda s: {**s, "seen": 10**6}),
        ("counted other than", lambda s: {**s, "step_count": s["step_count"] + 1}),
        ("number from 0 to", lambda s: {**s, "best_rmse": float("nan")}),
        ("best_epoch", lambda s: {**s, "best_epoch": 9}),
        ("not finite", lambda s: _with(s, ("average", "origin"), s["average"]["origin"] * float("nan"))),
    ],
)
def test_values_are_compared_with_each_other(light: Saved, what: str, spoil: Callable[[Any], Any]) -> None:
    with pytest.raises(UserError, match=what):
        light.restored(spoil(light.state))


def test_the_faces_held_out_and_the_stage_of_the_weights_are_compared(staged: Saved) -> None:
    stages = staged.state["stages"]
    strange = {
        "list of faces": {"held": stages["held"].float()},
        "other faces": {"held": torch.full_like(stages["held"], 10**6)},
        "as many as": {"mistakes": torch.cat([stages["mistakes"]] * 100)},
        "of stage 1": {"number": 1, "mistakes": torch.empty(0)},
    }
    for said, values in strange.items():
        with pytest.raises(UserError, match=said):
            staged.restored({**staged.state, "stages": {**stages, **values}})
    weights = {**staged.state["average"], "stage": torch.ones((), dtype=torch.int64)}
    with pytest.raises(UserError, match="not of stage 2"):
        staged.restored({**staged.state, "average": weights})


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_the_optimiser_remembers_bit_for_bit(tmp_path: Path, optimizer: str) -> None:
    at = saved(tmp_path, tiny_config(optimizer=optimizer), make_data()[0])
    before = at.trainer.optimizer.state_dict()
    again = Saved(Trainer(at.trainer.config, make_data()[0]), at.run, at.state)
    again.restored(at.state)
    after = again.trainer.optimizer.state_dict()
    assert after["param_groups"] == [{**g, "lr": 1e-3 * g.get("rate", 1.0)} for g in before["param_groups"]]
    assert after["state"].keys() == before["state"].keys()
    assert after["state"]
    for number, values in before["state"].items():
        for name, value in values.items():
            assert torch.equal(value, after["state"][number][name])


def test_an_optimiser_without_memory_has_none_to_restore(tmp_path: Path) -> None:
    at = saved(tmp_path, tiny_config(optimizer="sgd", momentum="0"), make_data()[0])
    at.restored(at.state)
    assert at.state["optimizer"]["state"] == {}
    more = {0: {"momentum_buffer": torch.zeros(1)}}
    with pytest.raises(UserError, match="remembers 1 of 0"):
        at.restored(_with(at.state, ("optimizer", "state"), more))
