"""Writes files beside their place and renames them when complete, so that no partial file remains."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from training.files.sentences import writing

_STALE = 600.0  # seconds without a change
_REPLACE_POLL = 0.05  # seconds
_REPLACE_SECONDS = 3.0  # how long to retry on Windows while a reader has the file open


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file written beside `path` and renamed to it at the end; nothing remains if the block raises."""
    with writing(path):
        sweep_parts(path)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
        part = Path(name)
        try:
            with os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.chmod(default_mode())
            replace(part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise


def replace(part: Path, path: Path) -> None:
    """Rename a file over `path`, or a folder to a free path or over an empty folder.

    Windows cannot rename over a folder, nor over a file that another process has open; it is retried for some seconds.
    """
    until = time.monotonic() + _REPLACE_SECONDS
    while True:
        try:
            if sys.platform == "win32" and path.is_dir():
                path.rmdir()
            part.replace(path)
            return
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > until:
                raise
            time.sleep(_REPLACE_POLL)


def sweep_parts(path: Path) -> None:
    """Remove what killed writers of `path` left beside it. What cannot be read or removed is left alone."""
    with suppress(OSError):
        for part in path.parent.iterdir():
            if part.name.startswith(f".{path.name[:100]}.") and part.suffix == ".part":
                with suppress(OSError):
                    _remove_stale(part)


def _remove_stale(part: Path) -> None:
    inside = [Path(folder) for folder, _, _ in os.walk(part)] if part.is_dir() else []
    if time.time() - max(p.lstat().st_mtime for p in (part, *inside)) < _STALE:
        return  # it may still be being written
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.unlink()


def default_mode() -> int:
    """The permissions of a new file, which creators of temporary files do not apply."""
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask
