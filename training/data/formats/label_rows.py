"""The label, group and split cells of CSV rows, for every format that is a CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from training.data.formats.columns import ColumnMapping, split_of
from training.data.formats.problems import Findings, Place
from training.data.formats.reader import check_points, flags_of
from training.data.formats.table import Row, Table, cell_number, cell_text, unquoted
from training.data.keypoint_data import Labels
from training.data.samples import Split
from training.data.schema import KeypointSchema
from training.errors import UserError

_PLAIN = b"0123456789.-+"


class LabelRows:
    """Collects rows of one CSV and turns them into labels, a chunk at a time."""

    def __init__(self, table: Table, mapping: ColumnMapping, schema: KeypointSchema) -> None:
        where = {title: i for i, title in enumerate(table.header)}
        pairs = mapping.pairs(schema) if mapping.keypoints else []
        self.keypoints = len(schema)
        self.columns = [column for pair in pairs for column in pair]
        self._indices = [where[column] for column in self.columns]
        self._group, self._split = where.get(mapping.group, -1), where.get(mapping.split, -1)
        self._mapping = mapping
        self.clear()

    def clear(self) -> None:
        """Begin the next chunk."""
        self.places: list[Place] = []
        self.values: list[list[float]] = []
        self.cells: list[tuple[str, ...]] = []
        self.groups: list[str] = []
        self.splits: list[Split | None] = []

    def add(self, row: Row) -> None:
        """Take one row. Raises UserError naming row and column of a cell that is wrong."""
        raw = [row.cells[i] for i in self._indices]
        if b"".join(raw).translate(None, _PLAIN):  # anything but digits, points and signs is looked at cell by cell
            values = [cell_number(cell, row.place, column) for cell, column in zip(raw, self.columns, strict=True)]
        else:
            values = self._plain(raw, row.place)
        self.values.append(values)
        self.cells.append(tuple(b"\x1f".join(raw).decode("utf-8").split("\x1f")) if raw else ())
        self.places.append(row.place)
        self.groups.append(self._text(row, self._group, self._mapping.group).strip())
        self.splits.append(self._split_of(row))

    def _plain(self, raw: list[bytes], place: Place) -> list[float]:
        try:
            return [float(cell) if cell else math.nan for cell in raw]
        except ValueError:
            return [cell_number(cell, place, column) for cell, column in zip(raw, self.columns, strict=True)]

    def _text(self, row: Row, index: int, column: str) -> str:
        return cell_text(row.cells[index], row.place, column) if index >= 0 else ""

    def _split_of(self, row: Row) -> Split | None:
        if self._split < 0 or not unquoted(row.cells[self._split]):
            return None
        word = self._text(row, self._split, self._mapping.split)
        split = split_of(word)
        if split is None:
            raise UserError(
                f"{row.place.at(self._mapping.split)}: {word[:30]!r} is no split; write train, val or test, or leave it empty."
            )
        return split

    def labels(
        self, widths: np.ndarray, heights: np.ndarray, findings: Findings
    ) -> tuple[Labels, tuple[tuple[str, ...], ...]]:
        """Labels and flags of the rows taken; what is flagged is told to `findings`."""
        count = len(self.values)
        if not self._indices:
            return Labels.empty(count, self.keypoints), ((),) * count
        points = np.array(self.values, np.float64).reshape(count, self.keypoints, 2)
        labels = Labels.from_points(points)
        half = np.isfinite(points).any(axis=2) & ~labels.mask
        outside = check_points(labels, widths=widths, heights=heights)
        for i, k in np.argwhere(half | outside):
            self._flag(int(i), int(k), labels, size=(int(widths[i]), int(heights[i])), findings=findings)
        return labels, flags_of(outside, half)

    def _flag(self, i: int, k: int, labels: Labels, *, size: tuple[int, int], findings: Findings) -> None:
        x, y = labels.points[i, k]
        column = self.columns[2 * k]
        if math.isnan(x):
            what = "only one of x and y is given, so the keypoint was left without a label; look at it"
        else:
            what = f"the keypoint lies at ({x:g}, {y:g}), outside the picture of {size[0]} x {size[1]} pixels; it was imported and flagged"
        findings.flagged.append(self.places[i].problem(what, column))

    def given(self) -> tuple[np.ndarray, np.ndarray]:
        """(splits uint8 [B], bool [B] where the file names one)."""
        known = np.array([split is not None for split in self.splits], bool)
        return np.array([split or 0 for split in self.splits], np.uint8), known


def drop(rows: LabelRows, kept: Sequence[int]) -> None:
    """Keep only these of the rows taken (pictures of the others could not be read)."""
    for name in ("places", "values", "cells", "groups", "splits"):
        values = getattr(rows, name)
        setattr(rows, name, [values[i] for i in kept])
