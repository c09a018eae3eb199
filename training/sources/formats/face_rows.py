"""The cells of CSV rows that say where the face is and to which part of a protocol it belongs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.errors import UserError
from training.sources.formats.columns import ColumnMapping
from training.sources.formats.table import Row, Table, cell_number, cell_text

_FARTHEST = 1 << 30  # px
_FLAG_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}


class FaceRows:
    """Collects boxes, crops and subsets of one CSV's rows."""

    def __init__(self, table: Table, mapping: ColumnMapping) -> None:
        self._mapping = mapping
        self._where = {title: i for i, title in enumerate(table.header)}
        self.clear()

    def clear(self) -> None:
        """Begin the next chunk."""
        self._boxes: list[list[float]] = []
        self._crops: list[list[int]] = []
        self._subsets: list[str] = []

    def add(self, row: Row) -> None:
        """Take one row. Raises UserError naming row and column of a cell that is wrong."""
        self._boxes.append(self._numbers(row, self._mapping.box) or [np.nan] * 4)
        self._crops.append(self._crop(row))
        self._subsets.append(self._subset(row))

    def keep(self, kept: Sequence[int]) -> None:
        """Only these of the rows taken."""
        self._boxes = [self._boxes[i] for i in kept]
        self._crops = [self._crops[i] for i in kept]
        self._subsets = [self._subsets[i] for i in kept]

    def boxes(self) -> np.ndarray | None:
        """float64 [B, 4], x, y, width, height; None where the table has no boxes."""
        if not self._mapping.box:
            return None
        boxes = np.array(self._boxes, np.float64).reshape(-1, 4)
        if self._mapping.box_corners:
            boxes[:, 2:] -= boxes[:, :2]
        return boxes

    def crops(self) -> np.ndarray | None:
        """int64 [B, 3] of an exported project; None where the table has none."""
        return np.array(self._crops, np.int64).reshape(-1, 3) if self._mapping.crop else None

    def subsets(self) -> tuple[str, ...]:
        """One word a row; () where the table has none."""
        return tuple(self._subsets) if self._mapping.subset else ()

    def _numbers(self, row: Row, columns: Sequence[str]) -> list[float]:
        values = [cell_number(row.cells[self._where[column]], row.place, column) for column in columns]
        missing = [column for column, value in zip(columns, values, strict=True) if value != value]
        if missing and len(missing) < len(columns):
            raise UserError(
                f"{row.place.at(missing[0])}: a part of the box is missing; complete it, or empty all of it."
            )
        return values

    def _crop(self, row: Row) -> list[int]:
        values = self._numbers(row, self._mapping.crop)
        if not values or values[0] != values[0]:
            return [0, 0, 0]
        pairs = zip(self._mapping.crop, values, strict=True)
        wrong = next((c for c, v in pairs if not v.is_integer() or abs(v) > _FARTHEST), "")
        if wrong or values[2] < 1:
            raise UserError(
                f"{row.place.at(wrong or self._mapping.crop[2])}: a crop is in whole pixels and has at least one;"
                " correct it, or leave all of it empty."
            )
        return [round(value) for value in values]

    def _subset(self, row: Row) -> str:
        column = self._mapping.subset
        if not column:
            return ""
        word = cell_text(row.cells[self._where[column]], row.place, column).strip().lower()
        if column.lower() != "frontal":
            return word
        if word not in _FLAG_WORDS:
            raise UserError(f"{row.place.at(column)}: {word[:30]!r} says neither yes nor no; write 1 or 0.")
        return "frontal" if _FLAG_WORDS[word] else ""
