"""Cells of CSV files: quoted where needed and, for spreadsheets, kept from being run as formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # wide ones: some spreadsheets read them too


def quoted(cell: str) -> str:
    """The cell in quotation marks if it would not stand for itself without them."""
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell


def csv_row(cells: Iterable[str]) -> str:
    """Cells as one line, without its end."""
    return ",".join(map(quoted, cells))


def without_formula(cell: str) -> str:
    """The cell as spreadsheets show it: with ' before what they would run. Numbers stay numbers."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell
