"""The label, group and split cells of CSV rows, for every format that is a CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Labels, Origin, PointState
from training.faces.labels.samples import Split
from training.faces.labels.schema import KeypointSchema
from training.sources.formats.columns import ColumnMapping, split_of
from training.sources.formats.known_columns import is_flag, state_words
from training.sources.formats.problems import Findings, Place
from training.sources.formats.reader import check_points, flags_of
from training.sources.formats.table import Row, Table, cell_number, cell_text, unquoted

_NOT_SAID = -1
_PLAIN = b"0123456789.-+"


class LabelRows:
    """Collects rows of one CSV and turns them into labels, a chunk at a time."""

    def __init__(self, table: Table, mapping: ColumnMapping, schema: KeypointSchema) -> None:
        where = {title: i for i, title in enumerate(table.header)}
        pairs = mapping.pairs(schema) if mapping.keypoints else []
        self.keypoints = len(schema)
        self.columns = [column for pair in pairs for column in pair]
        self._indices = [where[column] for column in self.columns]
        self._states = _state_columns(mapping, schema)
        self._state_indices = [where.get(column, -1) for column in self._states]
        self._state_words = [state_words(column) for column in self._states]
        self._flags = np.array([is_flag(column) for column in self._states], bool)
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
        self.states: list[list[int]] = []

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
        self.states.append(
            [
                self._state_of(row, *where)
                for where in zip(self._state_indices, self._states, self._state_words, strict=True)
            ]
        )

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

    def _state_of(self, row: Row, index: int, column: str, words: Mapping[str, PointState]) -> int:
        word = self._text(row, index, column).strip().lower()
        if word and word not in words:
            what = "visibility; write 1 or 0" if is_flag(column) else f"state; write one of {', '.join(words)}"
            raise UserError(f"{row.place.at(column)}: {word[:30]!r} is no {what}, or leave it empty.")
        return words[word] if word else _NOT_SAID

    def labels(
        self, widths: np.ndarray, heights: np.ndarray, findings: Findings
    ) -> tuple[Labels, tuple[tuple[str, ...], ...]]:
        """Labels and flags of the rows taken; what is flagged is told to `findings`."""
        count = len(self.values)
        if not self._indices:
            return Labels.empty(count, self.keypoints), ((),) * count
        points = np.array(self.values, np.float64).reshape(count, self.keypoints, 2)
        if self._flags.any():
            points[self._placeholders(points)] = np.nan
        labels = Labels.from_points(points)
        half = np.isfinite(points).any(axis=2) & ~labels.mask
        if self._states:
            self._set_states(labels, half)
        outside = check_points(labels, widths=widths, heights=heights)
        for i, k in np.argwhere(half | outside):
            self._flag(int(i), int(k), labels, size=(int(widths[i]), int(heights[i])), findings=findings)
        return labels, flags_of(outside, half)

    def _placeholders(self, points: np.ndarray) -> np.ndarray:
        """bool [B, K]: hidden points at (0, 0) or (-1, -1), which is how tables with flags write that nobody placed them."""
        hidden = self._flags & (np.array(self.states, np.int64) == PointState.OCCLUDED)
        return hidden & ((points == 0).all(axis=2) | (points == -1).all(axis=2))

    def _set_states(self, labels: Labels, half: np.ndarray) -> None:
        """Raises UserError where a state and the coordinates of a point do not go together."""
        said = np.array(self.states, np.int64)  # [B, K]
        said[self._flags & ~labels.mask] = _NOT_SAID
        placed = (said == PointState.VISIBLE) | (said == PointState.OCCLUDED)
        bare = (said == PointState.UNSET) | (said == PointState.ABSENT)
        for i, k in np.argwhere((placed & ~labels.mask & ~half) | (bare & (labels.mask | half))):
            word = PointState(said[i, k]).name.lower()
            what = (
                f"an {word} point has no coordinates, but they are given; empty them, or correct the state"
                if bare[i, k]
                else f"the point is {word}, but its coordinates are missing; add them, or correct the state"
            )
            raise UserError(f"{self.places[i].at(self._states[k])}: {what}.")
        labels.states[(said == PointState.OCCLUDED) & labels.mask] = PointState.OCCLUDED
        labels.states[said == PointState.ABSENT] = PointState.ABSENT
        labels.origins[said == PointState.ABSENT] = Origin.IMPORTED

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


def _state_columns(mapping: ColumnMapping, schema: KeypointSchema) -> list[str]:
    """One column a keypoint of the schema, "" where it has none; empty where no keypoint has one."""
    where = {k.name: k.state for k in mapping.keypoints}
    return [where[name] for name in schema.keypoints] if any(where.values()) else []


def drop(rows: LabelRows, kept: Sequence[int]) -> None:
    """Keep only these of the rows taken (pictures of the others could not be read)."""
    for name in ("places", "values", "cells", "groups", "splits", "states"):
        values = getattr(rows, name)
        setattr(rows, name, [values[i] for i in kept])
