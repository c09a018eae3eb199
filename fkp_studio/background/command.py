"""A command of `fkp` as a process of its own: the window never loads torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

from training.errors import UserError

FKP: tuple[str, ...] = (sys.executable, "-m", "training.cli")
_LOOK = 0.1  # seconds between two looks at whether it was cancelled


def run_command(words: Sequence[str], *, cancelled: Callable[[], bool]) -> str | None:
    """What the command prints, waited for in a background thread; None where it was cancelled.

    Raises UserError with the last line of its complaint where it fails.
    """
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while True:
            try:
                out, said = process.communicate(timeout=_LOOK)
                break
            except subprocess.TimeoutExpired:
                if cancelled():
                    process.kill()
                    return None
    if process.returncode:
        raise UserError(said.strip().rpartition("\n")[2] or f"The process ended with exit code {process.returncode}.")
    return out
