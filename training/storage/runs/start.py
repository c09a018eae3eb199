"""Starts the training process of a run, which can outlive its parent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from training.processes.children import start_detached
from training.processes.locks import Lock
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from training.storage.runs.queue import Claim

TRAIN: tuple[str, ...] = (sys.executable, "-m", "training", "train")


def start_training(
    run: Run, *, resume: bool, command: Sequence[str] = TRAIN, turn: Lock | None = None
) -> subprocess.Popen[bytes]:
    """Start `command RUN_DIR [--resume] --nice`; what it prints is added to log.txt. Raises OSError.

    turn: a held lock that the process keeps until it ends.
    """
    words = [*command, str(run), *(["--resume"] if resume else []), "--nice"]
    return start_detached(words, log=run.log, append=True, keep=turn)


def start_claimed(claim: Claim, *, command: Sequence[str] = TRAIN) -> subprocess.Popen[bytes]:
    """Start the claimed run and leave the turn to its trainer. Raises OSError."""
    try:
        claim.run.stop.unlink(missing_ok=True)
        return start_training(claim.run, resume=claim.resume, command=command, turn=claim.turn)
    finally:
        claim.turn.release()
