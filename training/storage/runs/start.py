"""Starts the training process of a run, which can outlive its parent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from training.processes.children import start_detached
from training.storage.runs.run import Run

TRAIN: tuple[str, ...] = (sys.executable, "-m", "training", "train")


def start_training(run: Run, *, resume: bool, command: Sequence[str] = TRAIN) -> subprocess.Popen[bytes]:
    """Start `command RUN_DIR [--resume] --nice`; what it prints is added to log.txt. Raises OSError."""
    words = [*command, str(run), *(["--resume"] if resume else []), "--nice"]
    return start_detached(words, log=run.log, append=True)
