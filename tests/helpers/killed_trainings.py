"""`python -m tests.helpers.killed_trainings FOLDER`: kills trainings before their first save, resumes them; JSON on stdout.

{place: {"ended": the signal, "status": of the run then, "same": whether it ended with the undisturbed weights}}.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from tests.helpers.training_data import make_data, make_run, tiny_config
from training.learning.fit import train_run as train_run_module
from training.learning.fit import training_loop
from training.learning.fit.train_run import train_run
from training.learning.inference import checkpoint
from training.learning.inference.checkpoint import load_model
from training.storage.runs.events import RunFinished, RunStarted
from training.storage.runs.listing import read_run
from training.storage.runs.run import Run


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def half_saved(state: object, path: Path) -> None:
    """As torch.save, up to its middle."""
    path.write_bytes(b"PK\x03\x04 half of it")
    die()


PLACES: dict[str, Callable[[], Any]] = {
    "locked": lambda: mock.patch.object(train_run_module, "processes", die),
    "images read": lambda: mock.patch.object(training_loop.Trainer, "settle", die),
    "said that it starts": lambda: mock.patch.object(training_loop, "label_troubles", die),
    "saving": lambda: mock.patch.object(checkpoint.torch, "save", half_saved),
    "saved": lambda: mock.patch.object(training_loop, "CheckpointSaved", die),
}


def train(run: Run, *, resume: bool = False) -> bool:
    """Whether it ended as it should; listeners hear everything."""
    heard: list[object] = []
    last = train_run(run, resume=resume, data=make_data()[0], on_event=heard.append, share=True)
    return isinstance(last, RunFinished) and isinstance(heard[0], RunStarted)


def new_run(folder: Path) -> Run:
    return make_run(folder, tiny_config(epochs="2"), make_data()[1])


def killed(run: Run, place: Callable[[], Any]) -> int:
    """The signal that ended a training in a process of its own."""
    number = os.fork()
    if number == 0:
        with suppress(BaseException), place():
            train(run)
        os._exit(1)
    return os.WTERMSIG(os.waitpid(number, 0)[1])


def weights(run: Run) -> list[bytes]:
    return [value.numpy().tobytes() for value in load_model(run)[0].state_dict().values()]


def main(folder: Path) -> None:
    whole = new_run(folder)
    train(whole)
    found = {}
    for place, patched in PLACES.items():
        run = new_run(folder)
        ended, status = killed(run, patched), read_run(run).status
        went_on = train(run, resume=status != "queued")
        same = went_on and read_run(run).status == "done" and weights(run) == weights(whole)
        lines = run.events.read_text().count('"RunStarted"')
        found[place] = {"ended": ended, "status": status, "same": same, "starts": lines}
    print(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
