"""Two writers of one project, stepped through each other statement by statement.

Every pair of acts is tried with the second one beginning before each statement of the first and pausing before each of
its own while the first goes on. The project must end as if one had come after the other.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

from tests.helpers.two_writers import Pair, mixed, one_after_the_other, pairs, places, prepare
from tests.torture.outcome import Outcome, Row


def run(scratch: Path, *, count: int, seed: int) -> Outcome:
    """count: changes between the writers tried in all, drawn evenly from the pairs."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
    outcome, draw, every = Outcome(), random.Random(seed), pairs()
    prepared = scratch / "prepared"
    prepare(prepared)
    chosen = every if count >= len(every) else draw.sample(every, count)
    for pair in chosen:
        who = "the window and a command" if pair.window else "two commands"
        _try(pair, outcome.row(who), prepared, scratch / "case", count=max(1, count // len(chosen)), draw=draw)
    del app
    return outcome


def _try(pair: Pair, row: Row, prepared: Path, folder: Path, *, count: int, draw: random.Random) -> None:
    allowed = one_after_the_other(prepared, folder, pair)
    every = list(places(prepared, folder, pair))
    for at, until in every if count >= len(every) else draw.sample(every, count):
        case = f"{pair.name}, at statement {at}, until {until}"
        try:
            found = mixed(prepared, folder, pair, at=at, until=until)
        except Exception as error:
            row.add("fault", [f"{type(error).__name__}: {error}"], case=case)
            continue
        if found in allowed:
            row.add(f"as {'one order' if len(allowed) == 1 else 'one of two orders'}")
        else:
            row.add("neither", [f"{found}, not {' or '.join(allowed)}"], case=case)
