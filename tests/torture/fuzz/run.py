"""Spoiled files through everything that reads them: a sentence, or read, or rightly left out; never anything else."""

from __future__ import annotations

import random
import shutil
import sys
from functools import partial
from pathlib import Path

import cv2

from tests.torture.forked import Fate, in_fork, load_torch
from tests.torture.fuzz.targets import PARTS, Target
from tests.torture.fuzz.valid import write
from tests.torture.outcome import Outcome

SECONDS = 60.0  # that a case may take on a busy machine
MEMORY = 900  # MB that a case may take: an image of the largest size allowed, its file and its crop
_GOOD = ("ok", "sentence")


def run(scratch: Path, *, count: int, seed: int, part: str) -> Outcome:
    """count: how many spoiled files of each kind. part: which of PARTS."""
    cv2.setNumThreads(1)
    load_torch()
    outcome = Outcome()
    for name, target in PARTS[part].items():
        row, folder = outcome.row(name), scratch / "case"
        row.found += unspoiled(target, folder)
        for number in range(count):
            what = make_case(target, name, number, folder, seed=seed)
            fate = in_fork(partial(target.read, folder), seconds=SECONDS)
            kind, wrong = verdict(fate)
            if wrong:
                folder.rename(scratch / f"found-{name.replace(' ', '-')}-{number}")
                wrong = [words.replace(str(folder), "FOLDER") for words in wrong]
            row.add(kind, wrong, case=f"case {number} of seed {seed}, {what}")
            shutil.rmtree(folder, ignore_errors=True)
        print(f"    {name}: {row.tried}, {len(row.found)} found", file=sys.stderr, flush=True)
    return outcome


def unspoiled(target: Target, folder: Path) -> list[str]:
    """What is wrong with the valid files: refused, they would prove nothing."""
    folder.mkdir()
    write(folder, target.files())
    fate = in_fork(partial(target.read, folder), seconds=SECONDS)
    shutil.rmtree(folder)
    return [] if fate.kind == "ok" else [f"valid files are not read: {fate.kind}: {fate.words}"]


def make_case(target: Target, name: str, number: int, folder: Path, *, seed: int) -> str:
    """Write the files of a case; says which is spoiled, and how."""
    draw = random.Random(f"{name}/{number}/{seed}")
    which, how = draw.choice(target.names()), draw.choice(target.how)
    folder.mkdir()
    write(folder, target.files() | {which: how(target.files()[which], draw)})
    return f"{which} by {how.__name__}"


def verdict(fate: Fate) -> tuple[str, list[str]]:
    """(how it came out, what is wrong with that)."""
    if fate.kind in _GOOD and fate.grew > MEMORY:
        return "memory", [f"took {fate.grew} MB"]
    if fate.kind == "sentence" and ("\n" in fate.words or len(fate.words) < 20):
        return "no sentence", [repr(fate.words)]
    kind = {"ok": "read", "sentence": "refused"}.get(fate.kind, fate.kind)
    return kind, [] if fate.kind in _GOOD else [f"{fate.kind}: {fate.words}"]
