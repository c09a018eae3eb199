"""The cells of CSV rows that say where the face is and to which part of a protocol it belongs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.errors import UserError
from training.sources.formats.tables.columns import ColumnMapping
from training.sources.formats.tables.table import Rows

_FARTHEST = 1 << 30  # px
_FLAG_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}


def boxes(rows: Rows, mapping: ColumnMapping) -> np.ndarray | None:
    """float64 [B, 4], x, y, width, height; None where the table has no boxes.

    Raises UserError naming row and column.
    """
    if not mapping.box:
        return None
    found = _whole(rows, mapping.box)
    if mapping.box_corners:
        found[:, 2:] -= found[:, :2]
    return found


def crops(rows: Rows, mapping: ColumnMapping) -> np.ndarray | None:
    """int64 [B, 3] of an exported project, zeros for whole images; None where the table has none."""
    if not mapping.crop:
        return None
    found = _whole(rows, mapping.crop)
    given = np.isfinite(found).all(axis=1)
    wrong = ((found != np.round(found)) | (np.abs(found) > _FARTHEST)) & given[:, None]
    wrong[:, 2] |= found[:, 2] < 1
    for i, k in np.argwhere(wrong):
        raise UserError(
            f"{rows.places[i].at(mapping.crop[k])}: a crop is in whole pixels and has at least one;"
            " correct it, or leave all of it empty."
        )
    return np.where(given[:, None], found, 0).astype(np.int64)


def subsets(rows: Rows, mapping: ColumnMapping) -> tuple[str, ...]:
    """One word per row; () where the table has none."""
    column = mapping.subset
    words = [word.lower() for word in rows.text(column)]
    if column.lower() != "frontal":
        return tuple(words) if column else ()
    for place, word in zip(rows.places, words, strict=True):
        if word not in _FLAG_WORDS:
            raise UserError(f"{place.at(column)}: {word[:30]!r} says neither yes nor no; write 1 or 0.")
    return tuple("frontal" if _FLAG_WORDS[word] else "" for word in words)


def _whole(rows: Rows, columns: Sequence[str]) -> np.ndarray:
    """Numbers of which a row has all or none."""
    found = rows.numbers(columns)
    missing = np.isnan(found)
    for i, k in np.argwhere(missing & ~missing.all(axis=1, keepdims=True)):
        raise UserError(
            f"{rows.places[i].at(columns[k])}: a part of the box is missing; complete it, or leave all of it empty."
        )
    return found
