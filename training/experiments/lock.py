"""A lock per experiment and project: allows one conductor at a time and shows others, and the window, that it runs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import UserError
from training.files import writing

LOCK = "lock"


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the lock of an experiment's folder, creating the folder. Raises UserError if another process holds it."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+b")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"The experiment {folder.name} is already running on this project; wait for it, or stop it first."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield


def conductor(folder: Path) -> int | None:
    """The id of the process that is conducting the experiment of this folder; None if there is none."""
    try:
        with (folder / LOCK).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read(32)
                return int(text) if text.isdigit() else None
    except FileNotFoundError:
        return None
    return None
