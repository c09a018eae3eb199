"""Turns system errors while reading and writing files into sentences for the user."""

from __future__ import annotations

import errno
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from training.errors import UserError

_LONG_PATH = 240  # characters; with a temporary file's longer name it exceeds the 260 of Windows
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


class RefusedFileError(OSError):
    """A file that is not read although the system would allow it; strerror says why and what to do."""


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
    if isinstance(error, RefusedFileError):
        return str(error.strerror)
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
def naming(path: Path, *, hidden: Path) -> Iterator[None]:
    """UserErrors of the block name `path` where they would name the temporary `hidden`, which becomes it."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(hidden), str(path))) from error
