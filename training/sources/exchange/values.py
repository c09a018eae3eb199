"""What all writers share: the values and their text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Labels
from training.sources.formats.pts.text import ORIGIN, pts_number
from training.storage.project.project import Project
from training.storage.project.tables.predictions import prediction_runs
from training.storage.project.tables.samples import source_cells

CHUNK = 256
_CELL = re.compile(r'[^,"\r\n\0]*|"[^,"\r\n\0]*"')


@dataclass(frozen=True)
class Values:
    """Where the points come from: the labels, or the predictions of a run."""

    project: Project
    run: str | None

    def __post_init__(self) -> None:
        if self.run is not None and self.run not in prediction_runs(self.project.database):
            raise UserError(f"The run {self.run} has no predictions in {self.project.path}; predict with it first.")

    def labels(self, ids: np.ndarray) -> Labels:
        """The labels of samples; for a run its predictions as visible points."""
        if self.run is None:
            return self.project.labels(ids)
        return Labels.from_points(self.project.predictions(self.run, ids).points)

    def points(self, ids: np.ndarray) -> np.ndarray:
        """float64 [B, K, 2] of the samples' images, NaN where there is none."""
        labels = self.labels(ids)
        return np.where(labels.mask[..., None], labels.points, np.nan)

    def cells(self, ids: np.ndarray, *, whole: bool = True, origin: float = 0.0) -> list[list[str]]:
        """2K cells of text per sample: as they stood in the file it came from where they still hold, else as numbers.

        whole: of the image files, else of the samples' images, which may be cut out of these. origin: what the format
        calls the centre of the first pixel (0, in .pts files 1).
        """
        flat = self.points(ids).reshape(len(ids), -1)
        corners = self.project.faces(ids).crops[:, :2]
        if self.run is not None:
            shift = np.tile(corners * whole + origin, flat.shape[1] // 2)
            return [[_short(value) for value in row] for row in (flat + shift).tolist()]
        kept = zip(source_cells(self.project.database, ids), self.project.sources(ids), corners.tolist(), strict=True)
        rows = [_Row(cells, source_origin(source), corner, whole or not any(corner)) for cells, source, corner in kept]
        return [row.cells(values, origin) for row, values in zip(rows, flat.tolist(), strict=True)]


def source_origin(source: str) -> float:
    """The coordinate of the first pixel's centre in the file that a sample came from."""
    return ORIGIN if source.lower().endswith(".pts") else 0.0


def number_text(value: float) -> str:
    """The shortest text that reads back as the same number; empty for NaN."""
    return "" if math.isnan(value) else repr(value)


def _short(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


class _Row(NamedTuple):
    """One sample's cells as they stood in its file, what they count from, the corner of its crop, and whether they are
    for the image that is asked for."""

    source: tuple[str, ...] | None
    origin: float
    corner: list[int]
    fits: bool

    def cells(self, values: list[float], origin: float) -> list[str]:
        """The text of the points `values` (x0, y0, x1...) of the sample's image."""
        kept = self.source if self.fits and self.origin == origin else None
        if kept is None or len(kept) != len(values):
            kept = ()
        cells: list[str] = []
        for k in range(0, len(values), 2):
            pair, texts = values[k : k + 2], list(kept[k : k + 2])
            cells += texts if texts and self._holds(pair, texts) else self._numbers(pair, origin)
        return cells

    def _numbers(self, pair: list[float], origin: float) -> list[str]:
        moved = [round(v + c, 9) if self.fits and c else v for v, c in zip(pair, self.corner, strict=True)]
        return [pts_number(value) if origin else number_text(value) for value in moved]

    def _holds(self, pair: list[float], texts: list[str]) -> bool:
        """Whether a point is still what its cells say; half a point counts as none, as when it was read."""
        if not all(map(self._fits_in, texts)):
            return False
        values = [_number(text) for text in texts]
        if any(map(math.isnan, values)):
            return math.isnan(pair[0])
        return [value - self.origin - corner for value, corner in zip(values, self.corner, strict=True)] == pair

    def _fits_in(self, text: str) -> bool:
        """Whether a cell stays one cell in a file: a project of strangers may hold anything."""
        return bool(_CELL.fullmatch(text)) and text.isascii() and (self.origin == 0 or len(text.split()) == 1)


def _number(text: str) -> float:
    try:
        return float(text.strip().strip('"') or "nan")
    except ValueError:
        return math.nan


def in_chunks(ids: np.ndarray, size: int = CHUNK) -> Iterator[np.ndarray]:
    """Slices of the ids."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
