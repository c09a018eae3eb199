"""The label, group and split cells of CSV rows, for every format that is a CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Labels, Origin, PointState
from training.faces.labels.samples import Split
from training.faces.labels.schema import KeypointSchema
from training.sources.formats.problems import Findings
from training.sources.formats.reader import check_points, flags_of
from training.sources.formats.tables.columns import ColumnMapping, split_of
from training.sources.formats.tables.known_columns import is_flag, state_words
from training.sources.formats.tables.table import Rows

_NOT_SAID = -1


class LabelRows:
    """What a block of rows says. Raises UserError naming row and column of the first cell that is wrong.

    points: float64 [B, K, 2]. states: int64 [B, K], `PointState` or -1; [B, 0] where no column says any. cells: as in
    the file, None where the table has no keypoints. splits: uint8 [B], valid where given (bool [B]).
    """

    def __init__(self, rows: Rows, mapping: ColumnMapping, schema: KeypointSchema) -> None:
        pairs = mapping.pairs(schema) if mapping.keypoints else []
        self.columns = [column for pair in pairs for column in pair]
        self._keypoints = len(schema)
        self._states = _state_columns(mapping, schema)
        self._flags = np.array([is_flag(column) for column in self._states], bool)
        self.places = rows.places
        self.cells = rows.raw(self.columns) if self.columns else None
        self.points = rows.numbers(self.columns).reshape(len(rows), -1, 2)
        self.groups = rows.text(mapping.group)
        self.splits, self.given = _splits(rows, mapping.split)
        said = [_states(rows, column) for column in self._states]
        self.states = np.array(said, np.int64).reshape(len(said), len(rows)).T

    def keep(self, kept: Sequence[int]) -> LabelRows:
        """Only some of the rows (images of the others could not be read)."""
        some = copy(self)
        some.places = tuple(self.places[i] for i in kept)
        some.groups = [self.groups[i] for i in kept]
        some.cells = [self.cells[i] for i in kept] if self.cells is not None else None
        index = np.array(kept, np.int64)
        some.points, some.states = self.points[index], self.states[index]
        some.splits, some.given = self.splits[index], self.given[index]
        return some

    def source_cells(self) -> tuple[tuple[str, ...], ...] | None:
        """The label cells as they stand in the file."""
        return None if self.cells is None else tuple(map(tuple, self.cells))

    def labels(
        self, widths: np.ndarray, heights: np.ndarray, findings: Findings
    ) -> tuple[Labels, tuple[tuple[str, ...], ...]]:
        """Labels and flags for images of these sizes; what is flagged is added to `findings`."""
        count = len(self.places)
        if not self.columns:
            return Labels.empty(count, self._keypoints), ((),) * count
        points = self.points.copy()
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
        """bool [B, K]: hidden points at (0, 0) or (-1, -1), which is how tables with flags write that nobody placed
        them.
        """
        hidden = self._flags & (self.states == PointState.OCCLUDED)
        return hidden & ((points == 0).all(axis=2) | (points == -1).all(axis=2))

    def _set_states(self, labels: Labels, half: np.ndarray) -> None:
        """Raises UserError where the state of a point contradicts its coordinates."""
        said = self.states.copy()
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
        if math.isnan(x):
            what = "only one of x and y is given, so the keypoint was left without a label; check it"
        else:
            what = (
                f"the keypoint lies at ({x:g}, {y:g}), outside the image of {size[0]} x {size[1]} pixels;"
                " it was imported and flagged"
            )
        findings.flagged.append(self.places[i].problem(what, self.columns[2 * k]))


def _state_columns(mapping: ColumnMapping, schema: KeypointSchema) -> list[str]:
    """One column per keypoint of the schema, "" where it has none; empty where no keypoint has one."""
    where = {k.name: k.state for k in mapping.keypoints}
    return [where[name] for name in schema.keypoints] if any(where.values()) else []


def _states(rows: Rows, column: str) -> list[int]:
    words = state_words(column)
    found = [word.lower() for word in rows.text(column)]
    for place, word in zip(rows.places, found, strict=True):
        if word and word not in words:
            what = "flag; write 1 or 0" if is_flag(column) else f"state; write one of {', '.join(words)}"
            raise UserError(f"{place.at(column)}: {word[:30]!r} is not a {what}, or leave it empty.")
    return [words[word] if word else _NOT_SAID for word in found]


def _splits(rows: Rows, column: str) -> tuple[np.ndarray, np.ndarray]:
    words = rows.text(column)
    found = [split_of(word) if word else None for word in words]
    for place, word, split in zip(rows.places, words, found, strict=True):
        if word and split is None:
            raise UserError(
                f"{place.at(column)}: {word[:30]!r} is not a split; write train, val or test, or leave it empty."
            )
    given = np.array([split is not None for split in found], bool)
    return np.array([split or Split.TRAIN for split in found], np.uint8), given
