"""Follows a file of lines that another process appends to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from training.files.regular import open_regular

Event = TypeVar("Event")
_MOST = 1 << 26  # bytes
_BEFORE = 256  # bytes compared to detect that a file was truncated and rewritten


def new_lines(path: Path, offset: int) -> tuple[list[bytes], int]:
    """The lines after a byte offset, and the offset to continue from. An unfinished last line is left for later.

    A file shorter than `offset` was truncated and is read from the start. At most 64 MB are read: call again where the
    offset still grows. What has no end of line within that is left out. Raises OSError.
    """
    with open_regular(path) as file:
        start = offset if offset <= os.fstat(file.fileno()).st_size else 0
        file.seek(start)
        data = file.read(_MOST)
    whole = data.rfind(b"\n") + 1
    if not whole and len(data) == _MOST:
        return [], start + _MOST
    return data[:whole].split(b"\n")[:-1], start + whole


def parsed(lines: Iterable[bytes], parse: Callable[[str], Event]) -> list[Event]:
    """The parsed lines, without those that are no events: cut off by a power failure, or printed by a library."""
    found = []
    for line in lines:
        try:
            found.append(parse(line.decode("utf-8")))
        except (ValueError, AttributeError):  # the latter: JSON, but no object
            continue
    return found


class Tail:
    """Reads a growing file piece by piece, and from the start if it was truncated and rewritten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._before = b""

    def read(self) -> list[bytes]:
        """The new complete lines. Raises OSError; they are then read at the next call."""
        if self._offset and self._bytes_before() != self._before:
            self._offset = 0
        lines, offset = new_lines(self.path, self._offset)
        if offset != self._offset:
            self._offset = offset
            self._before = self._bytes_before()
        return lines

    def _bytes_before(self) -> bytes:
        with open_regular(self.path) as file:
            start = max(0, self._offset - _BEFORE)
            file.seek(start)
            return file.read(self._offset - start)
