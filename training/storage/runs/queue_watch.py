"""The process that goes on with a project's queue while no window does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from training.errors import UserError
from training.processes.children import let_go, start_detached
from training.processes.locks import Lock, is_held
from training.storage.runs.queue import RunQueue
from training.storage.runs.start import TRAIN, start_claimed

QUEUE: tuple[str, ...] = (sys.executable, "-m", "training", "queue")
LOG = ".queue.log"
WINDOW, WATCH = ".queue.window", ".queue.watch"
_LOOK_SECONDS = 1.0
_PROBE = 0.2  # seconds: `is_held` of another program takes a lock for an instant


def attend(runs_dir: Path) -> Lock | None:
    """The lock that tells `watch` that a window starts the runs. Release it at the end.

    None if another window has it, or `watch` looks at it in this instant: try again later.
    """
    lock = Lock(runs_dir / WINDOW)
    with suppress(OSError):
        if lock.acquire(wait=0):
            return lock
    return None


def start_watch(runs_dir: Path, command: Sequence[str] = TRAIN) -> subprocess.Popen[bytes] | None:
    """Start `watch` in a process of its own, which outlives this one; None if one is running. Raises OSError."""
    if is_held(runs_dir / WATCH):
        return None
    process = start_detached([*QUEUE, str(runs_dir), *command], log=runs_dir / LOG)
    let_go(process)
    return process


def watch(runs_dir: Path, command: Sequence[str] = TRAIN) -> None:
    """Start what waits, one run at a time, whenever no window is there to do so; return when nothing waits.

    Returns at once if another process watches. Raises UserError if the queue cannot be written, OSError.
    """
    lock = Lock(runs_dir / WATCH)
    if not lock.acquire(wait=_PROBE):
        return
    queue = RunQueue(runs_dir)
    with lock:
        while queue.waiting():
            if not is_held(runs_dir / WINDOW):
                _start_next(queue, command)
            time.sleep(_LOOK_SECONDS)


def _start_next(queue: RunQueue, command: Sequence[str]) -> None:
    claim = queue.claim()
    if claim is None:
        return
    try:
        let_go(start_claimed(claim, command=command))
    except OSError as error:
        raise UserError(f"The run {claim.run.name} can't be started: {error.strerror or error}.") from error
