"""How a training process is started so that it can outlive whoever started it. Torch-free."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from training.storage.runs.folder import LOG

TRAIN: tuple[str, ...] = (sys.executable, "-m", "training", "train")


def start_training(run_dir: Path, *, resume: bool, command: Sequence[str] = TRAIN) -> subprocess.Popen[bytes]:
    """Start `command RUN_DIR [--resume] --nice` in a session of its own; what it prints is added to log.txt.

    Raises OSError where the process or the log can't be made.
    """
    arguments = [*command, str(run_dir), *(["--resume"] if resume else []), "--nice"]
    with (run_dir / LOG).open("ab") as log:
        return subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
