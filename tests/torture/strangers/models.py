"""Model files of the right form with other contents: weights that are not finite, enormous inputs."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.torture import inputs
from tests.torture.commands import command
from tests.torture.forked import Fate, in_fork
from tests.torture.fuzz.mangle_values import joined_safetensors, split_safetensors
from tests.torture.fuzz.run import MEMORY
from tests.torture.fuzz.valid import STARTER
from tests.torture.outcome import Outcome
from tests.torture.strangers.stopped import SECONDS


def attack(folder: Path, outcome: Outcome) -> None:
    header, body = split_safetensors(STARTER.read_bytes())
    inputs.imported(inputs.kaggle_csv(folder / "training.csv", 8), folder / "p.fkp")
    for name, value in (("NaN", np.nan), ("infinity", np.inf)):
        for start in (0.0, 0.5, 0.99):
            fate, wrong = _predict(folder, joined_safetensors(header, filled(body, value, start=start)))
            wrong += [] if fate.kind == "sentence" else [f"{fate.kind}: {fate.words}"]
            outcome.row(f"models of {name}").add(fate.kind, wrong, case=f"from {start:.0%} of the weights on")
    for side in (1024, 4096, 2**31):
        fate, wrong = _predict(folder, joined_safetensors(asking_for(header, side), body))
        wrong += [] if fate.kind in ("ok", "sentence") else [f"{fate.kind}: {fate.words}"]
        wrong += [f"took {fate.grew} MB"] if fate.grew > 4 * MEMORY else []
        outcome.row("models that ask for enormous inputs").add(fate.kind, wrong, case=f"{side} px")


def _predict(folder: Path, model: bytes) -> tuple[Fate, list[str]]:
    """Predict a project with this model: (what became of it, what is wrong with what it left)."""
    file, out = folder / "model.safetensors", folder / "out.csv"
    file.write_bytes(model)
    out.unlink(missing_ok=True)
    fate = in_fork(partial(command, "predict", folder / "p.fkp", "--model", file, "--out", out), seconds=SECONDS)
    return fate, ["it was refused, and a table written"] if out.exists() and fate.kind != "ok" else []


def filled(body: bytes, value: float, *, start: float) -> bytes:
    """The weights with this value in all from a share of them on."""
    numbers = np.frombuffer(body, np.uint8).copy()
    floats = numbers[: len(numbers) // 4 * 4].view("<f4")
    floats[int(start * len(floats)) :] = value
    return numbers.tobytes()


def asking_for(header: dict[str, Any], side: int) -> dict[str, Any]:
    """The header of a model whose input is a square of this side."""
    about = json.loads(header["__metadata__"]["fkp-studio"])
    about["config"]["input_size"] = side
    return header | {"__metadata__": header["__metadata__"] | {"fkp-studio": json.dumps(about)}}
