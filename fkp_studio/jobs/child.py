"""The training process: it outlives the window, and its end is told in words."""

from __future__ import annotations

import signal
import subprocess
import threading
from pathlib import Path

from training.storage.runs import folder as runs


def let_go(process: subprocess.Popen[bytes]) -> None:
    """Let the process go on without us; it is reaped should it end before the window does."""
    threading.Thread(target=process.wait, name="reaper", daemon=True).start()


def describe_end(code: int | None, *, kept_epoch: int, log_end: str = "", asked: bool = False) -> str:
    """A sentence on a training that ended without saying so itself.

    code: as Popen.returncode; None where it was not our child. kept_epoch: of the model that is on the disk, 0 for none.
    asked: the user had it ended at once.
    """
    kept = f"the model of epoch {kept_epoch} is kept" if kept_epoch else "no model was saved yet"
    if asked:
        return f"Ended at once, as you asked; {kept}."
    if code is None:
        return f"The training ended without a word (killed, or the computer was switched off); {kept}. Resume?"
    if code == -signal.SIGKILL:
        return f"The training process was killed (signal 9), probably out of memory; {kept}. Resume?"
    if code < 0:
        return f"The training process crashed ({_signal_name(-code)}); {kept}. The log may tell more."
    said = f" Its last words: {log_end}" if log_end else ""
    return f"The training process ended with exit code {code}; {kept}.{said}"


def _signal_name(number: int) -> str:
    try:
        return f"signal {number}, {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"


def last_words(run_dir: Path, *, most: int = 4096) -> str:
    """The last line that the run's log has, cut to a length that fits a row; "" where there is none."""
    try:
        with (run_dir / runs.LOG).open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - most))
            lines = log.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")
