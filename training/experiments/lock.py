"""One conductor an experiment and project: a lock that tells others, and the window, that it is running. Torch-free."""

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
    """Hold the lock of an experiment's folder, which is made. Raises UserError where another process holds it."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+b")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"The experiment {folder.name} is running on this project already; wait for it, or stop it first."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield


def conductor(folder: Path) -> int | None:
    """The process that conducts the experiment of this folder now; None where nobody does."""
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
