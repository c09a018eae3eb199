"""A CSV file, read a block of rows at a time: pandas splits the lines, and every cell stays text as it is written.

One line is one row. pandas silently fills up short rows, so each line gets one more cell that marks its end. Pixels are
the exception: `cut_out` takes their cell out of the line first, because splitting Kaggle's training.csv with its 65
million pixels takes pandas 0.8 s, and finding the last comma of each line 0.2 s.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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
_END = b"|"
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
    """Rows of a table. cells: as they stand in the file, quotes included. read, ended: of the last line.

    damaged: some cell holds bytes that are not text.
    """

    places: tuple[Place, ...]
    cells: pd.DataFrame
    read: int
    ended: bool
    damaged: bool

    def __len__(self) -> int:
        return len(self.places)

    def raw(self, columns: Sequence[str]) -> list[list[str]]:
        """The cells of some columns as they stand in the file, row by row."""
        cells: list[list[str]] = self.cells[list(columns)].to_numpy(object).tolist()
        return cells

    def text(self, column: str) -> list[str]:
        """A column without quotes and outer blanks; "" in all rows where `column` is "".

        UserError for what is not text.
        """
        cells = [unquoted(cell) for cell in self.cells[column]] if column else [""] * len(self)
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
        end = self.delimiter + _END + b"\n"
        data = b"".join(
            [self.delimiter * (len(columns) - 1), end, *(part for line in lines for part in (line.data, end))]
        )
        text = data.decode("utf-8", "replace").replace("\0", _LOST)
        cells = _split(text, self.delimiter)
        if cells is None or len(cells) != len(lines) + 1 or set(cells.iloc[:, -1]) != {_END.decode()}:
            raise self._misshapen(lines, without=without)
        cells = cells.iloc[1:, :-1]
        cells.columns = columns
        damaged = _LOST in text and (b"\0" in data or not _is_utf8(data))
        return Rows(tuple(line.place for line in lines), cells, lines[-1].read, lines[-1].ended, damaged)

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
        cells = _split(line.decode(), self.delimiter)
        if cells is None:
            raise UserError(f"{self.path}, line 1: a quotation mark is not closed; correct the header.")
        titles = tuple(unquoted(cell).strip() for cell in cells.iloc[0])
        doubles = sorted(title for title, count in Counter(titles).items() if title and count > 1)
        if doubles:
            raise UserError(f"{self.path}, line 1: the column {doubles[0]} appears twice; rename or remove one.")
        return titles

    def _misshapen(self, lines: Iterable[Line], *, without: str) -> UserError:
        """What is wrong with the first line that does not fit the header."""
        for line in lines:
            cells = _split((self.delimiter + line.data).decode("utf-8", "replace"), self.delimiter)  # pandas refuses ""
            count = 0 if cells is None else cells.shape[1] - 1 + bool(without)
            if count != len(self.header):
                what = f"there are {count} cells where the header has {len(self.header)} columns"
                what = what if count else "a quotation mark is not closed in this line"
                if not line.ended:
                    what += ", and the file ends there; it was cut off, so copy it again"
                    return UserError(f"{line.place.at()}: {what}.")
                return UserError(f"{line.place.at()}: {what}; correct this row.")
        return UserError(f"{self.path}: the rows cannot be distinguished; save the file as CSV in UTF-8.")


def _split(text: str, delimiter: bytes) -> pd.DataFrame | None:
    """The cells of all lines, quotes included; None where a line has more than the first, or an open quotation."""
    import pandas as pd  # 0.2 s and 40 MB, which the window does not need to start

    try:
        return pd.read_csv(
            io.StringIO(text.replace('"', '"""')),  # so the quotation marks work, and stay in the cells
            sep=delimiter.decode(),
            header=None,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            skipinitialspace=f'{delimiter.decode()} "' in text,
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
