"""What a long-lived process holds, row by row, and whether any of it grows."""

from __future__ import annotations

import gc
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QApplication

from tests.torture.processes import all_processes

LEAST_SECONDS = 600.0  # after the warm-up, for a line through the rows to say anything
WARM_UP = 1 / 3  # of the time: caches fill, panels and dialogs are made for the first time
GROWTH = {  # for each hour, of a line through the rows after the warm-up
    "memory": 60.0,  # MB: the journal keeps its newest 1,000 steps, and the window their undo
    "threads": 4.0,
    "descriptors": 6.0,
    "children": 2.0,
    "zombies": 2.0,
    "widgets": 400.0,  # Qt deletes some of a dialog's only after the next one
    "windows": 12.0,
}


@dataclass(frozen=True)
class Row:
    """memory: MB. windows: top-level widgets, hidden ones too."""

    seconds: float
    memory: int
    threads: int
    descriptors: int
    children: int
    zombies: int
    widgets: int
    windows: int


def measure(app: QApplication, seconds: float) -> Row:
    """A row of this process, after what can be freed is freed."""
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    mine = [one for one in all_processes() if one.parent == os.getpid()]
    return Row(
        seconds,
        int(status["VmRSS"].split()[0]) // 1024,
        int(status["Threads"]),
        len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - the folder of descriptors
        len(mine),
        sum(one.state == "Z" for one in mine),
        len(app.allWidgets()),
        len(app.topLevelWidgets()),
    )


def growth(rows: list[Row]) -> list[str]:
    """What grows by more than it may, in words; nothing for a time too short to tell."""
    kept = [row for row in rows if row.seconds >= WARM_UP * rows[-1].seconds]
    if kept[-1].seconds - kept[0].seconds < LEAST_SECONDS:
        return []
    hours = np.array([row.seconds for row in kept]) / 3600
    found = []
    for name, most in GROWTH.items():
        values = np.array([asdict(row)[name] for row in kept], float)
        slope = float(np.polyfit(hours, values, 1)[0])
        if slope > most:
            found.append(f"{name} grow by {slope:.0f} per hour, from {values[0]:.0f} to {values[-1]:.0f}")
    return found


def in_words(rows: dict[str, Row]) -> str:
    """The rows side by side, such as "memory 220 at first, 240 at the end; threads ..."."""
    parts = []
    for name in GROWTH:
        parts.append(f"{name} {', '.join(f'{asdict(row)[name]} {when}' for when, row in rows.items())}")
    return "; ".join(parts)
