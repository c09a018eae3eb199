"""Child processes that outlive their parent: starting them, stopping them, and their last output."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from training.processes.locks import Lock

if sys.platform == "win32":
    NO_CONSOLE = subprocess.CREATE_NO_WINDOW  # creation flags of a child: it opens no console window
else:
    NO_CONSOLE = 0

_NICE = 10
_CONTROL_C_EXIT = 0xC000013A  # exit code on Windows of a process that does not handle Ctrl-Break
KILLED = -9  # exit code of a process ended by SIGKILL
ENDED_AS_ASKED = (0, 130, -signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGTERM, _CONTROL_C_EXIT)

# Runs in a helper process, since sending Ctrl-Break requires attaching to the target's console.
_SEND_BREAK = """
import ctypes, sys
kernel, process = ctypes.windll.kernel32, int(sys.argv[1])
kernel.FreeConsole()
kernel.AttachConsole(process) and kernel.GenerateConsoleCtrlEvent(1, process)
"""


def start_detached(
    words: Sequence[str], *, log: Path, out: Path | None = None, append: bool = False, keep: Lock | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in its own session and group, so that it survives when the window or terminal is closed.

    log: receives stderr and, without `out`, stdout. append: keep the log's content. keep: a held lock that the process
    holds too, until it ends; not on Windows, where a lock belongs to one process. Raises OSError.
    """
    with ExitStack() as files:
        said = files.enter_context(log.open("ab" if append else "wb"))
        told = said if out is None else files.enter_context(out.open("wb"))
        if sys.platform == "win32":
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=said,
                creationflags=subprocess.CREATE_NEW_PROCESS_GROUP | NO_CONSOLE,
                env=os.environ | {"PYTHONUTF8": "1"},  # what it prints is read as UTF-8
            )
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=said,
            start_new_session=True,
            pass_fds=() if keep is None else (keep.descriptor,),
        )


def let_go(process: subprocess.Popen[bytes]) -> None:
    """Detach from the process, which continues; a thread reaps it if it ends before we do."""
    threading.Thread(target=process.wait, name="reaper", daemon=True).start()


def interrupt(pid: int) -> None:
    """Ask a process to stop cleanly, by one of `stop_signals`. Does nothing if it has ended."""
    if sys.platform == "win32":
        words = [sys.executable, "-c", _SEND_BREAK, str(pid)]
        let_go(subprocess.Popen(words, stdin=subprocess.DEVNULL, creationflags=NO_CONSOLE))
    else:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process of `start_detached` together with its own children."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        words = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(words, capture_output=True, creationflags=NO_CONSOLE, check=False)
        process.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def stop_signals() -> tuple[signal.Signals, ...]:
    """The signals on which our processes stop cleanly."""
    if sys.platform == "win32":
        return signal.SIGINT, signal.SIGTERM, signal.SIGBREAK
    return signal.SIGINT, signal.SIGTERM


def lower_priority() -> None:
    """Lower the scheduling priority of this process."""
    if sys.platform == "win32":
        this_process = ctypes.c_void_p(-1)
        ctypes.windll.kernel32.SetPriorityClass(this_process, subprocess.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(_NICE)


def last_words(log: Path, *, most: int = 4096) -> str:
    """The last line of a log, of which only the last `most` bytes are read; "" if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - most))
            return last_line(file.read().decode("utf-8", "replace"))
    except OSError:
        return ""


def last_line(text: str) -> str:
    """The last line that is not blank, stripped; "" if there is none."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
