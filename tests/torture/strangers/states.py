"""Saved states of a training (resume.pt) of the right form with other contents: a sentence, or it goes on."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import torch

from tests.torture.forked import Fate, in_fork
from tests.torture.outcome import Outcome
from tests.torture.strangers.stopped import SECONDS, stopped_training
from training.errors import UserError
from training.learning.fit.train_run import train_run
from training.storage.runs.events import RunFailed
from training.storage.runs.run import Run

_SHAPES = 3  # how often the optimiser's tensors get another shape


def attack(folder: Path, outcome: Outcome, *, count: int, seed: int) -> None:
    """count: how many are spoiled anywhere."""
    run = stopped_training(folder)
    kept = folder / "kept"
    shutil.copytree(run.path, kept)
    draw = random.Random(seed)
    for row, spoil, times in (("spoiled anywhere", spoiled, count), ("other shapes", other_shapes, _SHAPES)):
        for number in range(times):
            shutil.rmtree(run.path)
            shutil.copytree(kept, run.path)
            state = torch.load(run.resume, weights_only=True)
            what = spoil(state, draw)
            torch.save(state, run.resume)
            fate = in_fork(lambda: _resume(run), seconds=SECONDS)
            wrong = verdict(fate)
            outcome.row(f"saved states, {row}").add(fate.kind, wrong, case=f"case {number} of seed {seed}, {what}")


def _resume(run: Run) -> None:
    last = train_run(run, resume=True, save_seconds=0.0)
    if isinstance(last, RunFailed):
        raise UserError(f"{last.message} {last.hint}")


def verdict(fate: Fate) -> list[str]:
    if fate.kind not in ("ok", "sentence") or "internal error" in fate.words:
        return [f"{fate.kind}: {fate.words}"]
    return []


def spoiled(state: dict[str, Any], draw: random.Random) -> str:
    """Change one entry, anywhere; says what and where."""
    spots = _spots(state, "")
    top = draw.choice(sorted({where.split("/")[1] for *_, where in spots}))
    node, key, where = draw.choice([spot for spot in spots if spot[2].split("/")[1] == top])
    what = draw.choice(("removed", "None", "text", "another shape", "NaN", "-1", "huge"))
    if what == "removed":
        del node[key]
        return f"{where} removed"
    old = node[key]
    floating = isinstance(old, torch.Tensor) and old.is_floating_point()
    node[key] = {
        "None": None,
        "text": "x",
        "another shape": torch.zeros(3, 7),
        "NaN": torch.full_like(old, float("nan")) if floating else float("nan"),
        "-1": -1,
        "huge": 2**70,
    }[what]
    return f"{where} became {what}"


def _spots(node: Any, path: str) -> list[tuple[Any, Any, str]]:
    """Every (container, key, path) in nested dicts and lists."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [spot for key in keys for spot in ((node, key, f"{path}/{key}"), *_spots(node[key], f"{path}/{key}"))]


def other_shapes(state: dict[str, Any], draw: random.Random) -> str:
    """The optimiser's memory of its largest parameter in another shape: a fused step would write past its end."""
    memories = state["optimizer"]["state"]
    largest = max(memories, key=lambda number: memories[number]["exp_avg"].numel())
    which = draw.choice(("exp_avg", "exp_avg_sq"))
    memories[largest][which] = torch.zeros(3, 7)
    return f"{which} of parameter {largest}"
