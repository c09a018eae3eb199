"""A CSV file read line by line, as bytes, with every fault named by row, line and column."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from training.errors import UserError
from training.files import reading
from training.sources.formats.problems import Place

MAX_LINE = 64 << 20  # bytes; a picture of 4,000 x 4,000 pixels as text
_EMPTY = frozenset({b"", b"nan", b"na", b"null", b"none"})


@dataclass(frozen=True)
class Row:
    """One line: its cells as they stand in the file (quotes included), and how far the file is read, in bytes."""

    place: Place
    cells: list[bytes]
    read: int


class Table:
    """An open CSV: `header`, then `rows()` once. Commas, semicolons or tabs, LF or CRLF, with or without a UTF-8 mark."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self.path = path
        self.name = path.name
        self.size = path.stat().st_size
        line = self._line()
        self._check_head(line)
        line = line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
        self.delimiter = max((b",", b";", b"\t"), key=line.count)
        self.header = tuple(self._title(cell) for cell in self._split(line))
        self._check_titles()

    def rows(self) -> Iterator[Row]:
        """Every row that is not blank. Raises UserError at the first that has not as many cells as the header."""
        number = 0
        at_line = 1
        while line := self._line():
            at_line += 1
            bare = line.rstrip(b"\r\n")
            if not bare.strip():
                continue
            number += 1
            place = Place(self.name, number, at_line)
            cells = self._split(bare)
            if len(cells) != len(self.header):
                raise self._wrong_cells(place, len(cells), ended=line.endswith(b"\n"))
            yield Row(place, cells, self._file.tell())

    def at_end(self, row: Row) -> bool:
        """Whether nothing follows this row, not even a line end: then it may be cut off."""
        return row.read >= self.size and not self._ended

    def _line(self) -> bytes:
        with reading(self.path):
            line = self._file.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE:
            raise UserError(
                f"{self.path}: a line is longer than {MAX_LINE >> 20} MB, so this is no CSV file; give another file."
            )
        self._ended = line.endswith(b"\n")
        return line

    def _check_head(self, line: bytes) -> None:
        if self.size == 0:
            raise UserError(f"{self.path}: the file is empty; copy it again from where it came.")
        if line[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise UserError(f"{self.path}: the file is written in UTF-16; save it as CSV in UTF-8.")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if any(c < " " and c not in "\t\r\n" for c in text):
            raise UserError(f"{self.path}: the first line is not text, so this is no CSV file; give another file.")
        if not text.lstrip("\ufeff").strip():
            raise UserError(f"{self.path}, line 1: the header with the names of the columns is missing; add it.")

    def _check_titles(self) -> None:
        doubles = sorted({t for t in self.header if t and self.header.count(t) > 1})
        if doubles:
            raise UserError(f"{self.path}, line 1: the column {doubles[0]} is there twice; rename or remove one.")

    def _split(self, line: bytes) -> list[bytes]:
        cells = line.split(self.delimiter)
        return _joined(cells, self.delimiter) if b'"' in line else cells

    def _title(self, cell: bytes) -> str:
        return unquoted(cell).decode("utf-8", "replace").strip()

    def _wrong_cells(self, place: Place, count: int, *, ended: bool) -> UserError:
        what = f"there are {count} cells where the header has {len(self.header)} columns"
        if not ended:
            return UserError(f"{place.at()}: {what}, and the file ends there; it was cut off, so copy it again.")
        return UserError(f"{place.at()}: {what}; correct this row.")


def _joined(cells: list[bytes], delimiter: bytes) -> list[bytes]:
    """Cells in quotes that hold the delimiter, put together again; the quotes stay."""
    joined: list[bytes] = []
    parts: list[bytes] = []
    for cell in cells:
        quotes = cell.count(b'"') % 2 == 1
        if parts or (quotes and cell.lstrip().startswith(b'"')):
            parts.append(cell)
            if quotes and len(parts) > 1:
                joined.append(delimiter.join(parts))
                parts = []
        else:
            joined.append(cell)
    return joined + parts


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Opens a CSV; UserError where the file cannot be read or is no text."""
    with reading(path):
        file = path.open("rb", buffering=1 << 20)
    with file:
        yield Table(file, path)


def unquoted(cell: bytes) -> bytes:
    """A cell without the quotes round it."""
    bare = cell.strip()
    if len(bare) >= 2 and bare[:1] == bare[-1:] == b'"':
        return bare[1:-1].replace(b'""', b'"')
    return bare


def cell_text(cell: bytes, place: Place, column: str) -> str:
    """A cell as text. Raises UserError for what is no UTF-8 text."""
    try:
        text = unquoted(cell).decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UserError(f"{place.at(column)}: the cell holds bytes that are no text; save the file as UTF-8 CSV.")
    return text


def cell_number(cell: bytes, place: Place, column: str) -> float:
    """A coordinate; NaN for an empty cell. Raises UserError for letters, infinities and decimal commas."""
    text = unquoted(cell)
    if text.lower() in _EMPTY:
        return math.nan
    try:
        value = float(text) if b"_" not in text else math.inf
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        shown = text[:30].decode("utf-8", "backslashreplace")
        hint = "; use a point for decimals" if b"," in text else "; correct it, or leave it empty"
        raise UserError(f"{place.at(column)}: {shown!r} is not a number{hint}.")
    return value
