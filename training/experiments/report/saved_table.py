"""Reads back the table of a finished experiment, for the window, which does without pandas."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from training.errors import UserError

PAGE, MARKDOWN, CSV, JSON = "report.html", "table.md", "table.csv", "table.json"
_MAX_BYTES = 10_000_000
Written = tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[str, ...]]


def read_table(folder: Path) -> Written | None:
    """Head, rows and sentences as they were written; None where there is no table, or none that can be read."""
    try:
        head, *rows = csv.reader(_text(folder / CSV).splitlines())
        said = json.loads(_text(folder / JSON))["sentences"]
        return tuple(head), tuple(tuple(row) for row in rows), tuple(str(s) for s in said)
    except (OSError, UserError, ValueError, KeyError, TypeError, csv.Error):
        return None


def _text(path: Path) -> str:
    if path.stat().st_size > _MAX_BYTES:
        raise UserError(f"{path} is too large for the table of an experiment.")
    return path.read_text("utf-8")
