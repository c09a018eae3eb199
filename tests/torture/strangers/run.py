"""What a stranger sends: pickles that would run code, spoiled states, models of NaN, projects that lead out of their
folder, and things that are no files."""

from __future__ import annotations

from pathlib import Path

from tests.torture.forked import load_torch
from tests.torture.outcome import Outcome
from tests.torture.strangers import models, no_files, pickles, projects, states


def run(scratch: Path, *, count: int, seed: int) -> Outcome:
    """count: how many states of a training are spoiled at random; all else is tried once."""
    load_torch()
    outcome = Outcome()
    for part in (pickles, models, projects, no_files):
        folder = scratch / part.__name__.rsplit(".", 1)[-1]
        folder.mkdir()
        part.attack(folder, outcome)
    folder = scratch / "states"
    folder.mkdir()
    states.attack(folder, outcome, count=count, seed=seed)
    return outcome
