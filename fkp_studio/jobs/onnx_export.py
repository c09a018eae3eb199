"""A model written as ONNX by a process of its own: the window never loads torch."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from training.errors import UserError

EXPORT: tuple[str, ...] = (sys.executable, "-m", "training.cli", "export")
_LOOK = 0.1  # seconds between two looks at whether it ended


def export_model(
    project: Path, out: Path, *, run: str, int8: bool, cancelled: Callable[[], bool], command: Sequence[str] = EXPORT
) -> str | None:
    """What `fkp export PROJECT OUT --format onnx --run RUN` says; None when cancelled. Raises UserError with its sentence."""
    words = [*command, str(project), str(out), "--format", "onnx", "--run", run, *(["--int8"] if int8 else [])]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            if cancelled():
                process.kill()
                process.communicate()
                return None
            time.sleep(_LOOK)
        said, fault = process.communicate()
    if process.returncode != 0:
        raise UserError(fault.strip().split("\n")[-1] or "The export ended without a word.")
    return said.strip()
