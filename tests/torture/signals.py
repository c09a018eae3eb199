"""Real `fkp` commands hit by KILL, TERM and INT: no labels lost, nothing half done, no process left, no traceback."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.torture import inputs, project_digest
from tests.torture.outcome import Outcome
from tests.torture.processes import family
from training.faces.labels.labels import Labels
from training.storage.project.journal import read_steps
from training.storage.project.project import Project
from training.storage.runs.listing import damaged_runs

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
FACES, MORE = 150, 400
_SECONDS = 90.0  # for a command to end after a signal, on a busy machine
_LEFT_SECONDS = 10.0  # for its other processes
_SETTINGS = ["batch_size=16", "width=0.1", "input_size=32", "start_from=", "threads=1", "device=cpu"]
_TRAIN = ["--recipe", "fast", "--epochs", "400", "--set", *_SETTINGS]


@dataclass(frozen=True)
class Command:
    """words: with {} for the folder. begun: a file (a pattern below the folder) that shows that it is at work. most: s
    after that, or after its start, within which the signal comes. makes: a file that is whole or not there."""

    words: tuple[str, ...]
    most: float
    begun: str = ""
    makes: str = ""


COMMANDS: dict[str, Command] = {
    "fill": Command(("fill", "{}/p.fkp", "--run", "starter-15"), 4.0),
    "train": Command(("train", "{}/p.fkp", *_TRAIN), 2.0, begun="p.fkp/runs/0*/events.jsonl"),
    "train, two processes": Command(("train", "{}/p.fkp", *_TRAIN, "processes=2"), 4.0, "p.fkp/runs/0*/events.jsonl"),
    "import": Command(("import", "{}/more.csv", "{}/p.fkp"), 1.5),
    "export": Command(("export", "{}/p.fkp", "{}/out.csv", "--format", "csv"), 1.2, makes="out.csv"),
    "predict": Command(
        ("predict", "{}/p.fkp", "--model", "starter-15", "--out", "{}/predicted.csv"), 4.0, makes="predicted.csv"
    ),
}


def run(scratch: Path, *, count: int, seed: int) -> Outcome:
    """count: how many signals to each command."""
    prepared = scratch / "prepared"
    prepared.mkdir()
    path = inputs.imported(inputs.kaggle_csv(prepared / "training.csv", FACES), prepared / "p.fkp")
    inputs.kaggle_csv(prepared / "more.csv", MORE, seed=9)
    known, outcome, draw = inputs.with_holes(path), Outcome(), random.Random(seed)
    for index, (name, command) in enumerate(COMMANDS.items()):
        for number in range(count):
            folder = scratch / "case"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(prepared, folder)
            which = SIGNALS[(index + number + seed) % len(SIGNALS)]
            end, wrong = _one(command, folder, which, after=draw.uniform(0.05, command.most))
            wrong += _harm(command, folder, known) + (_repeated(name, command, folder) if not wrong else [])
            outcome.row(name).add(end, wrong, case=f"signal {number}, {which.name}")
    return outcome


def _words(command: Command, folder: Path) -> list[str]:
    return [sys.executable, "-m", "training.cli", *(word.replace("{}", str(folder)) for word in command.words)]


def _one(command: Command, folder: Path, which: signal.Signals, *, after: float) -> tuple[str, list[str]]:
    """(how the command ended, what is wrong with that)."""
    process = subprocess.Popen(
        _words(command, folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until = time.monotonic() + _SECONDS
    while command.begun and not any(folder.glob(command.begun)) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(after)
    others = [one.number for one in family(process.pid)]
    ended_before = process.poll() is not None
    if not ended_before:
        process.send_signal(which)
    try:
        _, said = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return "hangs", [f"still there {_SECONDS:.0f} s after the signal"]
    wrong = [f"traceback: {said.strip().splitlines()[-1][:200]}"] if "Traceback" in said else []
    left = _left(process.pid, others)
    if left:
        wrong.append(f"{left} processes are left")
    return ("ended before" if ended_before else f"{which.name} exit {process.returncode}"), wrong


def _left(first: int, others: list[int]) -> int:
    """How many processes of a command are still there after some patience; they are killed."""
    until = time.monotonic() + _LEFT_SECONDS
    while True:
        there = [p for p in family(first) if p.state != "Z" and p.number in {first, *others}]
        if not there or time.monotonic() > until:
            break
        time.sleep(0.1)
    for one in there:
        os.kill(one.number, signal.SIGKILL)
    return len(there)


def _harm(command: Command, folder: Path, known: Labels) -> list[str]:
    path = folder / "p.fkp"
    wrong = project_digest.faults(path)
    with Project.open(path) as project:
        labels = project.labels(np.arange(1, FACES + 1))
        if not np.array_equal(labels.points[known.mask], known.points[known.mask]):
            wrong.append("labels were lost or changed")
        filled = int(labels.mask.sum() - known.mask.sum())
        if filled and (labels.missing.any() or len(read_steps(project.database)) != 2):
            wrong.append(f"half a fill: {filled} points")
        if len(project) not in (FACES, FACES + MORE):
            wrong.append(f"half an import: {len(project)} samples")
        damaged = damaged_runs(project.runs_dir)
    wrong += [f"a damaged run: {damaged}"] if damaged else []
    made = folder / command.makes
    if command.makes and made.exists() and len(made.read_text(encoding="utf-8").splitlines()) != FACES + 1:
        wrong.append(f"half of {command.makes}")
    return wrong


def _repeated(name: str, command: Command, folder: Path) -> list[str]:
    """The same command works afterwards; trainings are too long for that, and an import that is done refuses."""
    with Project.open(folder / "p.fkp", read_only=True) as project:
        done = name == "import" and len(project) != FACES
    if name.startswith("train") or done:
        return []
    again = subprocess.run(_words(command, folder), capture_output=True, text=True, check=False)
    return [f"the same again: exit {again.returncode}: {again.stderr.strip()[-300:]}"] if again.returncode else []
