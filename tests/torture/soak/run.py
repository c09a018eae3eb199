"""Hours in the window compressed: a robot at full speed, with faults, memory, threads, descriptors, children, widgets."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from fkp_studio.document.settings import Settings
from fkp_studio.window.application import make_application
from fkp_studio.window.main_window import MainWindow
from tests.torture.commands import command
from tests.torture.outcome import Outcome
from tests.torture.soak.robot import Robot, spin
from tests.torture.soak.rows import Row, growth, in_words, measure

FACES = 300
_MOST_ROWS = 120
_START_SECONDS = 3.0


def run(scratch: Path, *, count: int, seed: int) -> Outcome:
    """count: how many seconds."""
    faces = min(FACES, 10 * count)
    command("demo", scratch / "p.fkp", "--samples", faces, "--seed", seed)
    app = make_application()
    window = MainWindow(Settings(app))
    window.resize(1366, 768)
    window.show()
    robot = Robot(window, app, seed=seed, scratch=scratch)
    window.open_at_start(scratch / "p.fkp")
    spin(_START_SECONDS)
    began, every, rows = time.monotonic(), max(0.5, count / _MOST_ROWS), list[Row]()
    while (now := time.monotonic() - began) < count:
        if now >= len(rows) * every:
            rows.append(measure(app, now))
            print(f"    {rows[-1]}", file=sys.stderr, flush=True)
        robot.act()
    rows.append(measure(app, time.monotonic() - began))
    window.close()
    spin(_START_SECONDS)
    return _outcome(robot, rows, measure(app, time.monotonic() - began), scratch)


def _outcome(robot: Robot, rows: list[Row], closed: Row, scratch: Path) -> Outcome:
    outcome = Outcome()
    acts = outcome.row("acts in the window")
    acts.tried, acts.ends = sum(robot.counts.values()), robot.counts
    acts.found = [f"a fault in the window: {fault}" for fault in robot.faults]
    held = outcome.row(f"{rows[-1].seconds / 60:.1f} minutes, rows of what is held")
    held.words = in_words({"at first": rows[0], "at the end": rows[-1], "closed": closed})
    held.tried, held.found = len(rows), growth(rows)
    if closed.children:
        held.found.append(f"{closed.children} child processes are left after the window was closed")
    (scratch / "rows.txt").write_text("\n".join(map(str, [*rows, closed])), encoding="utf-8")
    return outcome
