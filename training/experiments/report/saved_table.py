"""Reads back the table of a finished experiment, for the window."""

from __future__ import annotations

import csv
from pathlib import Path

from training.files.json_values import read_json
from training.files.regular import read_bytes

PAGE, MARKDOWN, CSV, JSON = "report.html", "table.md", "table.csv", "table.json"
_MAX_BYTES = 10_000_000
Written = tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[str, ...]]


def read_table(folder: Path) -> Written | None:
    """Head, rows and sentences as written; None if there is no readable table."""
    try:
        head, *rows = csv.reader(read_bytes(folder / CSV, limit=_MAX_BYTES).decode().splitlines())
        said = read_json(folder / JSON, limit=_MAX_BYTES)["sentences"]
        return tuple(head), tuple(tuple(row) for row in rows), tuple(str(s) for s in said)
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return None
