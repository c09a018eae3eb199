"""The `.pts` text of 300-W: one file per image, the centre of the first pixel at (1, 1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.files.regular import read_bytes
from training.files.sentences import reading

ORIGIN = 1.0
_MAX_BYTES = 4 << 20


def read_pts(path: Path) -> np.ndarray:
    """As `read_pts_cells`, the points only."""
    return read_pts_cells(path)[0]


def read_pts_cells(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Points float64 [K, 2], the first pixel's centre at (0, 0), NaN where the file says nan; and the 2K numbers as text.

    Raises UserError naming file and line.
    """
    with reading(path):
        data = read_bytes(path, limit=_MAX_BYTES)
    if not data.strip():
        raise UserError(f"{path}: the file is empty; copy it again from its source.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UserError(f"{path}: this is not text, so it is not a .pts file; replace or remove it.")
    return _parse(text.splitlines(), path)


def _parse(lines: list[str], path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    start = next((i for i, line in enumerate(lines) if "{" in line), -1)
    said = _said_count(lines[: max(start, 0)], path)
    if start < 0:
        raise UserError(
            f"{path}: the line with '{{' is missing, so this is not a .pts file, or it is cut off; copy it again."
        )
    end = next((i for i in range(start + 1, len(lines)) if "}" in lines[i]), -1)
    rows = [(i, lines[i]) for i in range(start + 1, end if end > 0 else len(lines)) if lines[i].strip()]
    if end < 0:
        raise UserError(
            f"{path}: the file ends after {len(rows)} points without '}}'; it was cut off, so copy it again."
        )
    if said is not None and said != len(rows):
        raise UserError(f"{path}: n_points says {said} but {len(rows)} points follow; correct the file or remove it.")
    if not rows:
        raise UserError(f"{path}: there are no points in this file; correct or remove it.")
    points = np.array([_point(text, path, line=i + 1) for i, text in rows]) - ORIGIN
    return points, tuple(cell for _, text in rows for cell in text.split())


def _said_count(head: list[str], path: Path) -> int | None:
    for number, line in enumerate(head, start=1):
        key, _, value = line.partition(":")
        if key.strip() == "n_points":
            if not value.strip().isdecimal():
                raise UserError(
                    f"{path}, line {number}: n_points is {value.strip()[:20]!r}, not a whole number; correct it."
                )
            return int(value)
    return None


def _point(text: str, path: Path, *, line: int) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split())
        if math.isinf(x) or math.isinf(y) or "_" in text:
            raise ValueError
    except ValueError:
        raise UserError(
            f"{path}, line {line}: {text.strip()[:40]!r} is not a point (two numbers x y); correct it."
        ) from None
    return x, y


def text_of_cells(cells: Sequence[str]) -> str:
    """The file's text for 2K numbers as they are written in it."""
    body = "".join(f"{x} {y}\n" for x, y in zip(cells[::2], cells[1::2], strict=True))
    return f"version: 1\nn_points: {len(cells) // 2}\n{{\n{body}}}\n"


def pts_number(value: float) -> str:
    """A coordinate, px with the first pixel's centre at 0, as it is written: counted from 1."""
    return "nan" if math.isnan(value) else repr(round(float(value) + ORIGIN, 9))
