"""A training is killed, or its disk fails, at exact calls: resumed, it ends with the weights of an undisturbed one."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

from tests.torture import inputs
from tests.torture.forked import Fate, in_fork, load_torch
from tests.torture.outcome import Outcome
from tests.torture.places.run import SECONDS, fresh, words_wrong
from tests.torture.places.shim import ERRORS, FAULTS, arm, disarm
from training.errors import UserError
from training.learning.fit.train_run import train_run
from training.learning.inference.checkpoint import load_model, load_resume
from training.storage.project.project import Project
from training.storage.runs.events import RunFailed, RunFinished
from training.storage.runs.folder import has_begun
from training.storage.runs.listing import damaged_runs, list_runs
from training.storage.runs.new_run import create_run
from training.storage.runs.run import Run
from training.storage.runs.settings.config import with_overrides
from training.storage.runs.settings.recipes import recipe_config


def run(scratch: Path, *, count: int, seed: int) -> Outcome:
    """count: how many places are tried with each fault."""
    load_torch()
    prepared, folder, outcome = _prepare(scratch / "prepared"), scratch / "case", Outcome()
    fresh(prepared, folder)
    first = train(folder, at=0, fault="")
    if first.kind != "ok":
        outcome.row("training").add("cannot be done", [f"{first.kind}: {first.words}"])
        return outcome
    expected, calls = weights(folder), int(json.loads(first.words)["calls"])
    draw = random.Random(seed)
    for fault in FAULTS:
        for at in sorted(draw.sample(range(1, calls + 1), min(count, calls))):
            fresh(prepared, folder)
            wrong = _look(folder, expected, at=at, fault=fault)
            outcome.row("training, saved each batch").add(fault, wrong, case=f"{fault} at {at} of {calls}")
    return outcome


def _prepare(folder: Path) -> Path:
    folder.mkdir(parents=True)
    inputs.imported(inputs.kaggle_csv(folder / "training.csv", 40), folder / "p.fkp")
    with Project.open(folder / "p.fkp") as project:
        create_run(project, with_overrides(recipe_config("fast"), {**inputs.TRAINING, "epochs": "2"}))
    return folder


def the_run(folder: Path) -> Run:
    return Run(next((folder / "p.fkp" / "runs").glob("0001-*")))


def weights(folder: Path) -> str:
    """A digest of the model that is kept."""
    model, _ = load_model(the_run(folder))
    values = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
    return hashlib.sha256(values).hexdigest()[:16]


def train(folder: Path, *, at: int = -1, fault: str = "") -> Fate:
    """Begin, or resume, in a child; its words are JSON: {"calls", "reason"}, or {"calls", "failed", "hint"}."""
    run = the_run(folder)

    def work() -> str:
        arm(at, fault)
        try:
            last = train_run(run, resume=has_begun(run), save_seconds=0.0)
        finally:
            calls = disarm()
        if isinstance(last, RunFailed):
            return json.dumps({"calls": calls, "failed": last.message, "hint": last.hint})
        return json.dumps({"calls": calls, "reason": last.reason if isinstance(last, RunFinished) else ""})

    return in_fork(work, seconds=SECONDS)


def _look(folder: Path, expected: str, *, at: int, fault: str) -> list[str]:
    fate = train(folder, at=at, fault=fault)
    wrong = words_wrong(fate, fault)
    said = json.loads(fate.words) if fate.kind == "ok" else {}
    if fault in ERRORS and "failed" in said and not _advises(f"{said['failed']} {said['hint']}"):
        wrong.append(f"no advice: {said['failed']} {said['hint']}")
    run = the_run(folder)
    if len(list_runs(run.path.parent)) != 1:
        wrong.append(f"the run is not listed: {damaged_runs(run.path.parent)}")
    return [*wrong, *_damage(run), *_resumed(folder, expected)]


def _advises(words: str) -> bool:
    """Whether the words go on after saying what went wrong, and do not call it a fault of the program."""
    return any(mark in words.strip() for mark in (". ", "; ")) and "internal error" not in words


def _damage(run: Run) -> list[str]:
    """A model and a saved state that are there can be loaded."""
    wrong = []
    for path, load in ((run.model, lambda: load_model(run)), (run.resume, lambda: load_resume(run.resume))):
        try:
            if path.exists():
                load()
        except UserError as error:
            wrong.append(f"{path.name}: {error}")
    return wrong


def _resumed(folder: Path, expected: str) -> list[str]:
    if list_runs(the_run(folder).path.parent)[0].status != "done":
        fate = train(folder)
        if fate.kind != "ok" or json.loads(fate.words).get("reason") != "done":
            return [f"it cannot be resumed: {fate.kind}: {fate.words}"]
    same = weights(folder) == expected
    return [] if same else ["it ends with other weights"]
