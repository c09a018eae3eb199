"""Waits until a file is on the disk itself, where it survives a power cut: the system may keep it in memory for long."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform == "darwin":
    import fcntl


def flush(path: Path) -> None:
    """Wait until the file and its name are on the disk, whoever wrote it. Raises OSError."""
    _flush(path, os.O_RDWR)  # Windows flushes only what could be written
    if sys.platform != "win32":
        _flush(path.parent, os.O_RDONLY)


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync leaves it in the memory of the drive
        else:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
