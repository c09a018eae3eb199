"""An X server for the test, without a screen."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def missing() -> str:
    """Why no X server can run here; "" if it can."""
    return "" if shutil.which("Xvfb") else "Xvfb is not installed (apt-get install xvfb)"


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
