"""An X server for the test, without a screen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from training.commands.doctor import XCB_CHECK


def missing() -> str:
    """Why there can be no X server here, "" when there can."""
    if not shutil.which("Xvfb"):
        return "Xvfb is not installed (apt-get install xvfb)"
    loads = subprocess.run([sys.executable, "-c", XCB_CHECK], capture_output=True, check=False).returncode == 0
    return "" if loads else "libraries of Qt's xcb plugin are missing: `make test` as root installs them"


@contextmanager
def x_server(*, width: int = 1366, height: int = 768) -> Iterator[str]:
    """Start Xvfb on a free display; yields its name, such as ":5"."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            yield f":{told.readline().strip()}"
    finally:
        server.terminate()
        server.wait()
