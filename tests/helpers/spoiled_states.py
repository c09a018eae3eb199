"""`python -m tests.helpers.spoiled_states FOLDER COUNT`: resumes a run from spoiled states, reports JSON on stdout.

Each attempt is a fork of its own, so that one whose memory is corrupted ends alone and is seen: {"what was done":
["sentence", its text]}, or "went on", "fault" (an internal error) or "killed" in place of "sentence".
"""

from __future__ import annotations

import copy
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.helpers.training_data import make_data, make_run, tiny_config
from training.errors import UserError
from training.learning.fit.train_run import train_run
from training.learning.inference.checkpoint import load_resume, save_resume
from training.storage.runs.events import RunFailed
from training.storage.runs.run import Run

State = dict[str, Any]
_STEPS = 5  # before the run is stopped: in the middle of its second epoch
_HUGE = 2**70


def stopped_run(folder: Path) -> Run:
    """A run that was stopped, with every optional part that a saved state can have, in one stage."""
    config = tiny_config(model="light", width="0.1", epochs="3", hard_points="0.5", label_offset="true")
    run = make_run(folder, config, make_data()[1])
    calls = iter(range(1, 1000))
    train_run(run, data=make_data()[0], should_stop=lambda: next(calls) >= _STEPS)
    return run


def targeted(state: State) -> Iterator[tuple[str, State]]:
    """Tensors and settings of the optimiser, and a tensor of each network, as something that they cannot be."""
    memory = state["optimizer"]["state"]
    largest = max(memory, key=lambda k: memory[k]["exp_avg"].numel())
    for entry in ("step", "exp_avg", "exp_avg_sq"):
        for name, value in _unlike(memory[largest][entry]).items():
            yield f"{entry}: {name}", _with(state, ("optimizer", "state", largest, entry), value)
        yield f"{entry}: deleted", _with(state, ("optimizer", "state", largest), _without(memory[largest], entry))
    yield "step: of another time", _with(state, ("optimizer", "state", largest, "step"), torch.tensor(7.0))
    yield "a parameter's memory: deleted", _with(state, ("optimizer", "state"), _without(memory, largest))
    yield "a parameter's memory: one too many", _with(state, ("optimizer", "state", 10**6), memory[largest])
    yield "a parameter's memory: more than it has", _with(state, ("optimizer", "state", largest, "max"), torch.ones(1))
    yield "no memory", _with(state, ("optimizer", "state"), {})
    group = state["optimizer"]["param_groups"][0]
    for name, wrong in {"amsgrad": True, "betas": (2.0, 0.5), "eps": None, "weight_decay": "x", "params": [0]}.items():
        yield f"group's {name}", _with(state, ("optimizer", "param_groups", 0), {**group, name: wrong})
    yield "no groups", _with(state, ("optimizer", "param_groups"), [])
    for part in ("model", "average"):
        first = next(iter(state[part]))
        for name, value in _unlike(state[part][first]).items():
            yield f"{part}: {name}", _with(state, (part, first), value)
        yield f"{part}: not finite", _with(state, (part, first), torch.full_like(state[part][first], float("inf")))
        yield f"{part}: one tensor too many", _with(state, (part, "other"), torch.zeros(1))


def thin(state: State) -> State:
    """The right shapes, but a single number of memory under each tensor: a step that writes there writes elsewhere."""
    memory = {
        key: {
            name: value.flatten()[:1].clone().expand(value.shape) if value.ndim else value for name, value in of.items()
        }
        for key, of in state["optimizer"]["state"].items()
    }
    return _with(state, ("optimizer", "state"), memory)


def _unlike(value: Tensor) -> dict[str, Any]:
    other = torch.zeros(3, 7)
    found = {
        "another shape": other,
        "another type": value.to(torch.int32),
        "none": None,
        "text": "x",
        "a number": 1.0,
        "no memory": value.to("meta"),
        "sparse": torch.eye(3).to_sparse(),
        "complex": value.to(torch.complex64),
    }
    return found | ({"nearly its shape": value.flatten()[:-1].clone()} if value.ndim else {})


def _with(state: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the state with another value at this place; other tensors are shared."""
    if not path:
        return value
    changed = copy.copy(state)
    old = state[path[0]] if isinstance(state, list) else state.get(path[0])
    changed[path[0]] = _with(old, path[1:], value)
    return changed


def _without(values: dict[Any, Any], name: Any) -> dict[Any, Any]:
    return {key: value for key, value in values.items() if key != name}


def random_spoils(state: State, count: int) -> Iterator[tuple[str, State]]:
    """`count` states with one entry changed, anywhere; the parts are equally likely."""
    draw = random.Random(0)
    spots = list(_spots(state, ()))
    for number in range(count):
        top = draw.choice(sorted(state))
        path, old = draw.choice([spot for spot in spots if spot[0][0] == top])
        nan = torch.full_like(old, float("nan")) if _is_float(old) else float("nan")
        strange = {"none": None, "text": "x", "shape": torch.zeros(3, 7), "nan": nan, "number": -1, "huge": _HUGE}
        what = draw.choice(sorted(strange))
        yield f"{number}: {what} at {'/'.join(map(str, path))}", _with(state, path, strange[what])


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _spots(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield (*path, key), node[key]
        yield from _spots(node[key], (*path, key))


def attempt(run: Run) -> list[str]:
    """What comes of resuming the run in this process."""
    try:
        last = train_run(run, resume=True, data=make_data()[0])
    except UserError as error:
        return ["sentence", str(error)]
    if not isinstance(last, RunFailed):
        return ["went on", ""]
    return ["fault" if last.traceback else "sentence", f"{last.message} {last.hint}"]


def in_a_fork(work: Callable[[], list[str]]) -> list[str]:
    reader, writer = os.pipe()
    number = os.fork()
    if number == 0:
        with suppress(BaseException):
            os.write(writer, json.dumps(work()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        said = told.read()
    code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    found: list[str] = json.loads(said) if said and code == 0 else ["killed", str(code)]
    return found


def main(folder: Path, count: int) -> None:
    run = stopped_run(folder)
    state, events = load_resume(run.resume), run.events.read_bytes()
    found = {}
    for what, spoiled in (*targeted(state), ("thin", thin(state)), *random_spoils(state, count)):
        save_resume(run.resume, spoiled)
        run.events.write_bytes(events)
        found[what] = in_a_fork(lambda: attempt(run))
    print(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]))
