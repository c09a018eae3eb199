"""A CSV file, read a block of rows at a time: lines are split into cells, and every cell stays text as it is written.

One line is one row. Lines without quotation marks are split at the delimiters; all others by pandas, which takes 0.1 ms
per column however few the rows. pandas silently fills up short rows, so each line gets one more cell that marks its end.
Pixels are the exception: `cut_out` takes their cell out of the line first.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from training.errors import UserError
from training.files.regular import open_regular
from training.files.sentences import reading
from training.sources.formats.problems import Place

if TYPE_CHECKING:
    import pandas as pd

MAX_LINE = 64 << 20  # bytes; an image of 4,000 x 4,000 pixels as text
_MAX_COLUMNS = 100_000
_BLOCK = 4 << 20  # bytes
_BUFFER = 256 << 10  # bytes
_END = "|"
_LOST = "\ufffd"  # stands for bytes that are not text
_EMPTY = frozenset({"", "nan", "na", "null", "none"})
_PLAIN = b"0123456789.-+"


@dataclass(frozen=True)
class Line:
    """One row as bytes, without its line end. read: bytes of the file up to its end. ended: it has a line end."""

    place: Place
    data: bytes
    read: int
    ended: bool


@dataclass(frozen=True)
class Rows:
    """Rows of a table. cells: as they stand in the file, quotes included. at: the position of each column among them.

    read, ended: of the last line. damaged: some cell holds bytes that are not text.
    """

    places: tuple[Place, ...]
    cells: list[list[str]]
    at: Mapping[str, int]
    read: int
    ended: bool
    damaged: bool

    def __len__(self) -> int:
        return len(self.places)

    def raw(self, columns: Sequence[str]) -> list[list[str]]:
        """The cells of some columns as they stand in the file, row by row."""
        wanted = [self.at[column] for column in columns]
        return [[row[i] for i in wanted] for row in self.cells]

    def text(self, column: str) -> list[str]:
        """A column without quotes and outer blanks; "" in all rows where `column` is "".

        UserError for what is not text.
        """
        if not column:
            return [""] * len(self)
        at = self.at[column]
        cells = [unquoted(row[at]) for row in self.cells]
        for place, cell in zip(self.places, cells, strict=True) if self.damaged else ():
            if _LOST in cell:
                raise UserError(
                    f"{place.at(column)}: the cell holds bytes that are not text; save the file as CSV in UTF-8."
                )
        return [cell.strip() for cell in cells]

    def numbers(self, columns: Sequence[str]) -> np.ndarray:
        """float64 [rows, columns], NaN for empty cells. Raises UserError for letters, infinities and decimal commas."""
        cells, shape = self.raw(columns), (len(self), len(columns))
        if not "".join(map("".join, cells)).encode().translate(None, _PLAIN):
            with suppress(ValueError):
                flat = [float(cell) if cell else math.nan for row in cells for cell in row]
                return np.array(flat, np.float64).reshape(shape)
        rows = zip(self.places, cells, strict=True)
        values = [[_number(c, place, name) for c, name in zip(row, columns, strict=True)] for place, row in rows]
        return np.array(values, np.float64).reshape(shape)


class Table:
    """An open CSV: `header`, then `lines()` or `blocks()` once.

    Commas, semicolons or tabs; LF or CRLF; with or without a BOM.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self.path = path
        self.name = path.name
        self.size = path.stat().st_size
        line = self._line()
        self._check_head(line)
        line = line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
        self.delimiter = max((b",", b";", b"\t"), key=line.count)
        self.header = self._titles(line)

    def lines(self) -> Iterator[Line]:
        """Every line below the header that is not blank."""
        number = 0
        at_line = 1
        while data := self._line():
            at_line += 1
            bare = data.rstrip(b"\r\n")
            if bare.strip():
                number += 1
                yield Line(Place(self.name, number, at_line), bare, self._file.tell(), data.endswith(b"\n"))

    def blocks(self, size: int) -> Iterator[Rows]:
        """All rows, `size` at a time, or fewer where they are long. Raises UserError as `rows`."""
        lines: list[Line] = []
        begun = 0
        for line in self.lines():
            lines.append(line)
            if len(lines) == size or line.read - begun > _BLOCK:
                yield self.rows(lines)
                lines, begun = [], line.read
        if lines:
            yield self.rows(lines)

    def rows(self, lines: Sequence[Line], *, without: str = "") -> Rows:
        """Lines split into cells. without: the column that `cut_out` took out of them.

        Raises UserError at the first line that has not as many cells as the header.
        """
        columns = [title for title in self.header if title != without or not title]
        data = b"\n".join([line.data for line in lines])
        text = data.decode("utf-8", "replace").replace("\0", _LOST)
        cells = _cells(text, self.delimiter.decode(), len(columns))
        if cells is None or len(cells) != len(lines):
            raise self._misshapen(lines, without=without)
        damaged = _LOST in text and (b"\0" in data or not _is_utf8(data))
        at = {title: i for i, title in enumerate(columns)}
        return Rows(tuple(line.place for line in lines), cells, at, lines[-1].read, lines[-1].ended, damaged)

    def cut_out(self, line: Line, column: str) -> tuple[Line, bytes]:
        """A line without the cell of a column, and that cell without quotes. Raises UserError as `rows`."""
        before, _, last = line.data.rpartition(self.delimiter)
        if column == self.header[-1] and before.count(self.delimiter) == len(self.header) - 2:
            return Line(line.place, before, line.read, line.ended), last.strip(b' "')
        cells = line.data.split(self.delimiter)
        if len(cells) != len(self.header):  # delimiters in quotes, or a fault
            cells = [cell.replace('"""', '""').encode() for cell in self.rows([line]).raw(self.header)[0]]
        cell = cells.pop(self.header.index(column))
        return Line(line.place, self.delimiter.join(cells), line.read, line.ended), cell.strip(b' "')

    def _line(self) -> bytes:
        with reading(self.path):
            line = self._file.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE:
            raise UserError(
                f"{self.path}: a line is longer than {MAX_LINE >> 20} MB, so this is not a CSV file; choose another file."
            )
        return line

    def _check_head(self, line: bytes) -> None:
        if self.size == 0:
            raise UserError(f"{self.path}: the file is empty; copy it again from its source.")
        if line[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise UserError(f"{self.path}: the file is in UTF-16; save it as CSV in UTF-8.")
        text = line.decode("utf-8") if _is_utf8(line) else "\0"
        if any(c < " " and c not in "\t\r\n" for c in text):
            raise UserError(f"{self.path}: the first line is not text, so this is not a CSV file; choose another file.")
        if not text.lstrip("\ufeff").strip():
            raise UserError(f"{self.path}, line 1: the header with the column names is missing; add it.")

    def _titles(self, line: bytes) -> tuple[str, ...]:
        if line.count(self.delimiter) >= _MAX_COLUMNS:
            raise UserError(f"{self.path}, line 1: there are more than {_MAX_COLUMNS:,} columns; choose another file.")
        cells = _row(line.decode(), self.delimiter.decode())
        if cells is None:
            raise UserError(f"{self.path}, line 1: a quotation mark is not closed; correct the header.")
        titles = tuple(unquoted(cell).strip() for cell in cells)
        doubles = sorted(title for title, count in Counter(titles).items() if title and count > 1)
        if doubles:
            raise UserError(f"{self.path}, line 1: the column {doubles[0]} appears twice; rename or remove one.")
        return titles

    def _misshapen(self, lines: Iterable[Line], *, without: str) -> UserError:
        """What is wrong with the first line that does not fit the header."""
        for line in lines:
            width = _width(line.data.decode("utf-8", "replace"), self.delimiter.decode())
            count = width and width + bool(without)
            if count != len(self.header):
                what = f"there are {count} cells where the header has {len(self.header)} columns"
                what = what if count else "a quotation mark is not closed in this line"
                if not line.ended:
                    what += ", and the file ends there; it was cut off, so copy it again"
                    return UserError(f"{line.place.at()}: {what}.")
                return UserError(f"{line.place.at()}: {what}; correct this row.")
        return UserError(f"{self.path}: the rows cannot be distinguished; save the file as CSV in UTF-8.")


def _cells(text: str, delimiter: str, count: int) -> list[list[str]] | None:
    """The cells of lines that have `count` each, quotes included; None where one has not."""
    lines = text.split("\n")
    found = [line.count(delimiter) for line in lines]
    if '"' not in text:
        return [line.split(delimiter) for line in lines] if set(found) == {count - 1} else None
    if max(found) >= count + _MAX_COLUMNS:  # before memory is taken for each of them
        return None
    end = delimiter + _END
    table = _split(delimiter * (count - 1) + end + "\n" + text.replace("\n", end + "\n") + end, delimiter)
    if table is None or set(table.iloc[:, -1]) != {_END}:
        return None
    cells: list[list[str]] = table.to_numpy(object)[1:, :-1].tolist()
    return cells


def _width(line: str, delimiter: str) -> int:
    """How many cells a line has, 0 where a quotation mark is not closed."""
    found = line.count(delimiter) + 1
    return found if '"' not in line or found > 2 * _MAX_COLUMNS else len(_row(line, delimiter) or ())


def _row(line: str, delimiter: str) -> list[str] | None:
    """The cells of a line, quotes included; None where a quotation mark is not closed."""
    if '"' not in line:
        return line.split(delimiter)
    table = _split(delimiter + line, delimiter)  # pandas refuses ""
    return None if table is None else [str(cell) for cell in table.iloc[0, 1:]]


def _split(text: str, delimiter: str) -> pd.DataFrame | None:
    """The cells of all lines, quotes included; None where a line has more than the first, or an open quotation."""
    import pandas as pd  # 0.2 s and 40 MB, which the window does not need to start

    try:
        return pd.read_csv(
            io.StringIO(text.replace('"', '"""')),  # so the quotation marks work, and stay in the cells
            sep=delimiter,
            header=None,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            skipinitialspace=f'{delimiter} "' in text,
            lineterminator="\n",
            low_memory=False,
        )
    except pd.errors.ParserError:
        return None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Opens a CSV; UserError where the file cannot be read or is not text."""
    with reading(path):
        file = open_regular(path, buffering=_BUFFER)
    with file:
        yield Table(file, path)


def unquoted(cell: str) -> str:
    """A cell without the quotation marks round it, and with those inside it as they are meant."""
    bare = cell.strip()
    if len(bare) >= 2 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1]
    return bare.replace('"""', '"')


def _number(cell: str, place: Place, column: str) -> float:
    text = unquoted(cell)
    if text.strip().lower() in _EMPTY:
        return math.nan
    try:
        value = float(text) if text.isascii() and "_" not in text else math.inf
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        hint = "; use a point for decimals" if "," in text else "; correct it, or leave it empty"
        raise UserError(f"{place.at(column)}: {text[:30]!r} is not a number{hint}.")
    return value
