"""Helpers for the training process, which may outlive the window: letting it go and describing its end."""

from __future__ import annotations

import signal
import subprocess
import threading

from training.storage.runs.run import Run


def let_go(process: subprocess.Popen[bytes]) -> None:
    """Detach from the process, which goes on; a thread reaps it if it ends before the window does."""
    threading.Thread(target=process.wait, name="reaper", daemon=True).start()


def describe_end(code: int | None, *, kept_epoch: int, log_end: str = "", asked: bool = False) -> str:
    """Why a training ended without reporting its end, as a sentence.

    code: as Popen.returncode; None if it was not our child. kept_epoch: of the saved model, 0 for none.
    asked: whether the user forced it to stop.
    """
    kept = f"the model of epoch {kept_epoch} is kept" if kept_epoch else "no model was saved yet"
    if asked:
        return f"Forced to stop; {kept}."
    if code is None:
        return f"The training ended unexpectedly (killed, or the computer was switched off); {kept}. Resume?"
    if code == -signal.SIGKILL:
        return f"The training process was killed (signal 9), probably out of memory; {kept}. Resume?"
    if code < 0:
        return f"The training process crashed ({_signal_name(-code)}); {kept}. See the log."
    said = f" Its last message: {log_end}" if log_end else ""
    return f"The training process ended with exit code {code}; {kept}.{said}"


def _signal_name(number: int) -> str:
    try:
        return f"signal {number}, {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"


def last_words(run: Run, *, most: int = 4096) -> str:
    """The last line of the run's log, cut to 300 characters; "" if there is none."""
    try:
        with run.log.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - most))
            lines = log.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")
