"""Starts a training process that can outlive its parent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from training.storage.runs.run import Run

TRAIN: tuple[str, ...] = (sys.executable, "-m", "training", "train")


def start_training(run: Run, *, resume: bool, command: Sequence[str] = TRAIN) -> subprocess.Popen[bytes]:
    """Start `command RUN_DIR [--resume] --nice` in a session of its own; its output is appended to log.txt.

    Raises OSError where the process or the log cannot be created.
    """
    arguments = [*command, str(run), *(["--resume"] if resume else []), "--nice"]
    with run.log.open("ab") as log:
        return subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
