"""Reads and writes files so that system errors become sentences for the user and no partial file remains."""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from training.errors import UserError

_STALE = 600.0  # seconds without a change
_LONG_PATH = 240  # characters; with a temporary file's longer name it exceeds the 260 of Windows
_REPLACE_POLL = 0.05  # seconds
_REPLACE_SECONDS = 3.0  # how long to retry on Windows while a reader has the file open
_FULL = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "your quota on this disk is used up; free some space and try again",
    errno.EFBIG: "the file would be larger than this disk or system allows; choose another place",
}
_WRITE = _FULL | {
    errno.EACCES: "there is no permission to write here; choose another place or change the permissions",
    errno.EPERM: "there is no permission to write here; choose another place or change the permissions",
    errno.EROFS: "this disk is read-only; choose another place",
    errno.ENOENT: "the folder does not exist; create it or choose another place",
    errno.ENOTDIR: "part of this path is a file, not a folder; choose another place",
    errno.EISDIR: "this is a folder; give the name of a file",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ENOTEMPTY: "another program has created something there meanwhile; choose another name",
}
_READ = {
    errno.ENOENT: "there is no such file or folder; check the path",
    errno.ENOTDIR: "there is no such file or folder; check the path",
    errno.EACCES: "there is no permission to read it; change the permissions or copy it elsewhere",
    errno.EPERM: "there is no permission to read it; change the permissions or copy it elsewhere",
    errno.EISDIR: "this is a folder, but a file is needed; choose the file",
    errno.EIO: "the disk reports a read error; copy the file again from its source",
    errno.ENAMETOOLONG: "the name is too long; check the path",
}
_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*/\\', "_") | dict.fromkeys(map(chr, range(32)), "_"))
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an OSError while reading `path` into a UserError that says what to do."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: {_sentence(path, error, _READ, otherwise='cannot be read')}.") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError (or SQLite's equivalent) while writing `path` into a UserError that says what to do."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: {_sentence(path, error, _WRITE, otherwise='cannot be written')}.") from error
    except sqlite3.OperationalError as error:
        raise UserError(f"{path}: {_sqlite_sentence(error)}.") from error


def _sentence(path: Path, error: OSError, known: Mapping[int, str], *, otherwise: str) -> str:
    if sys.platform == "win32" and error.errno == errno.ENOENT and len(str(path)) >= _LONG_PATH:
        return "the path is too long for Windows; choose a shorter one, or allow long paths in Windows"
    return known.get(error.errno or 0, f"{otherwise} ({error.strerror or error})")


def _sqlite_sentence(error: sqlite3.OperationalError) -> str:
    text = str(error)
    if "full" in text:
        return _WRITE[errno.ENOSPC]
    if "readonly" in text or "unable to open" in text:
        return _WRITE[errno.EACCES]
    if "locked" in text:
        return "another program is writing to it; wait for it to end and try again"
    return f"cannot be written ({text})"


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


def safe_name(name: str) -> str:
    """The name, changed where some system would not allow it for a file or folder; "" if nothing is left.

    Windows forbids some characters, trailing spaces and dots, and device names (CON, NUL...) with any extension.
    """
    allowed = name.translate(_FORBIDDEN).rstrip(" .")
    return f"_{allowed}" if _RESERVED.fullmatch(allowed) else allowed


def strict(value: Any) -> Any:
    """The value with NaN and infinity as None, tuples as lists and NumPy values as plain Python."""
    if isinstance(value, dict):
        return {str(k): strict(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(v) for v in value]
    if hasattr(value, "tolist"):
        return strict(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Raises ValueError, before allocating memory, where the header promises more than the file holds."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as member:
        if info.compress_type != zipfile.ZIP_STORED or np.lib.format.read_magic(member) != (1, 0):
            raise ValueError(f"{name} is damaged")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or fortran or not 0 <= size <= min(info.file_size, info.compress_size):
            raise ValueError(f"{name} is larger than its file")
        return np.frombuffer(member.read(size), dtype).reshape(shape)
