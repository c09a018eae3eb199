"""Commands are killed, or their disk fails, at exact calls that change files: what was there stays, or all is done.

After ENOSPC and EIO the command ends with one sentence. After everything the same command works.
"""

from __future__ import annotations

import random
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2

from tests.torture import project_digest
from tests.torture.forked import Fate, in_fork
from tests.torture.outcome import Outcome
from tests.torture.places.cases import CASES, Case, prepare
from tests.torture.places.shim import ERRORS, FAULTS, arm, disarm

SECONDS = 120.0  # that a case may take on a busy machine
_COUNTED = re.compile(r"calls (\d+)\n")
_HIDDEN = re.compile(r"(?:/|\s|'|\")\.[\w.#-]*\w|\.(?:part|importing|new)\b")


@dataclass(frozen=True)
class Undisturbed:
    """A case without a fault: the states before and after, and how many changes of files lie between."""

    before: object
    after: object
    calls: int


def run(scratch: Path, *, count: int, seed: int) -> Outcome:
    """count: how many places of each case are tried with each fault."""
    cv2.setNumThreads(1)
    prepared, folder, outcome = prepare(scratch / "prepared"), scratch / "case", Outcome()
    for name, case in CASES.items():
        normal = undisturbed(case, prepared, folder)
        if isinstance(normal, str):
            outcome.row(name).add("cannot be done", [normal])
            continue
        draw = random.Random(f"{name}/{seed}")
        for fault in FAULTS:
            for at in sorted(draw.sample(range(1, normal.calls + 1), min(count, normal.calls))):
                wrong = look(case, prepared, folder, normal, at=at, fault=fault)
                outcome.row(name).add(fault, wrong, case=f"{fault} at {at} of {normal.calls}")
        print(f"    {name}: {normal.calls} places", file=sys.stderr, flush=True)
    return outcome


def undisturbed(case: Case, prepared: Path, folder: Path) -> Undisturbed | str:
    """Do it once without a fault. A sentence where that fails."""
    fresh(prepared, folder)
    before = case.state(folder)
    fate = faulty(case, folder, at=0, fault="")
    counted = _COUNTED.match(fate.words)
    if fate.kind != "ok" or counted is None:
        return f"{fate.kind}: {fate.words}"
    return Undisturbed(before, case.state(folder), int(counted[1]))


def fresh(prepared: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(prepared, folder)


def faulty(case: Case, folder: Path, *, at: int, fault: str) -> Fate:
    """Do it in a child, with this fault."""

    def work() -> str:
        arm(at, fault)
        try:
            case.work(folder)
        finally:
            calls = disarm()
        return f"calls {calls}\n"

    return in_fork(work, seconds=SECONDS)


def look(case: Case, prepared: Path, folder: Path, normal: Undisturbed, *, at: int, fault: str) -> list[str]:
    """What is wrong with what became of it, in words."""
    fresh(prepared, folder)
    fate = faulty(case, folder, at=at, fault=fault)
    wrong = words_wrong(fate, fault)
    try:
        now = case.state(folder)
        if folder.joinpath(case.result, "project.db").exists():
            wrong += project_digest.faults(folder / case.result)
    except Exception as error:
        return [*wrong, f"what is left cannot be read: {type(error).__name__}: {error}"]
    if now not in (normal.before, normal.after):
        wrong.append(f"neither as before nor done: {normal.before}, {normal.after}: {now}")
    if fate.kind == "ok" and now != normal.after:
        wrong.append(f"it said that it was done and is not: {now}")
    if now != normal.after or case.again:
        wrong += _again(case, folder, normal)
    return wrong


def words_wrong(fate: Fate, fault: str) -> list[str]:
    """Where the disk fails, a program ends with one sentence for people; nothing ever hangs."""
    if fate.kind == "hang" or (fault in ERRORS and fate.kind not in ("ok", "sentence")):
        return [f"{fate.kind}: {fate.words}"]
    if fate.kind == "sentence" and (len(fate.words) < 20 or "\n" in fate.words or "Traceback" in fate.words):
        return [f"no sentence: {fate.words!r}"]
    if fate.kind == "sentence" and _HIDDEN.search(fate.words):
        return [f"a hidden name in: {fate.words}"]
    if fate.kind == "sentence" and "is damaged" in fate.words:
        return [f"blames the project for its disk: {fate.words}"]
    return []


def _again(case: Case, folder: Path, normal: Undisturbed) -> list[str]:
    fate = faulty(case, folder, at=-1, fault="")
    if fate.kind != "ok":
        return [f"the same again: {fate.kind}: {fate.words}"]
    now = case.state(folder)
    return [] if now == normal.after else [f"the same again gives something else: {now}"]
