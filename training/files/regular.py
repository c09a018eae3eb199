"""Opens only what is a file, and reads no more of it than it may hold.

A name in a folder of a stranger can be a pipe, which blocks whoever opens it, or a device, which never ends; the size
that the system reports says nothing there.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from training.files.sentences import RefusedFileError

_BLOCK = 1 << 20  # bytes


def open_regular(path: Path, *, buffering: int = -1) -> BinaryIO:
    """The file opened for reading; links are followed.

    Raises OSError if it cannot be opened, RefusedFileError (an OSError) for pipes, devices and sockets.
    """
    _check(path, path.stat().st_mode)
    flags = (
        os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    )  # it may have been replaced by a pipe
    descriptor = os.open(path, flags)
    try:
        _check(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb", buffering)
    except BaseException:
        os.close(descriptor)
        raise


def _check(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise RefusedFileError(errno.EINVAL, "this is a pipe or a device, not a file; replace or remove it", str(path))


def read_bytes(path: Path, *, limit: int) -> bytes:
    """All bytes of a file. Raises OSError if it cannot be read, RefusedFileError if it is no file or larger than `limit` bytes."""
    with open_regular(path, buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        parts: list[bytes] = []
        held, wanted = 0, size + 1
        while held <= limit and size <= limit:
            part = file.read(min(wanted, limit + 1 - held))
            if part is None:  # a file of the system that has nothing to say yet
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))
            if not part:
                return b"".join(parts)
            parts.append(part)
            held += len(part)
            wanted = max(size + 1 - held, _BLOCK)
    raise RefusedFileError(
        errno.EFBIG, f"the file is larger than {_words(limit)}, too large for what it should be", str(path)
    )


def _words(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MB" if size >= 1 << 20 else f"{size / 1024:,.0f} KB"
