"""Runs `fkp` commands in a child process, so that the window never loads torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

from training.errors import UserError
from training.processes.children import NO_CONSOLE, last_line

FKP: tuple[str, ...] = (sys.executable, "-m", "training.cli")
_LOOK = 0.1  # seconds between checks for cancellation


def run_command(words: Sequence[str], *, cancelled: Callable[[], bool]) -> str | None:
    """Run the command and return its output, None if cancelled. Blocks: for a background thread.

    Raises UserError with the last line of its error output if it fails.
    """
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, creationflags=NO_CONSOLE
    ) as process:
        while True:
            try:
                out, said = process.communicate(timeout=_LOOK)
                break
            except subprocess.TimeoutExpired:
                if cancelled():
                    process.kill()
                    return None
    if process.returncode:
        raise UserError(last_line(said) or f"The process ended with exit code {process.returncode}.")
    return out
