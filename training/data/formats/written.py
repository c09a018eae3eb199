"""What all writers share: the values to write, their text, and safe names for files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from training.data.keypoint_data import Labels
from training.errors import UserError
from training.project.project import Project

CHUNK = 256
_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*\0', "_"))


@dataclass(frozen=True)
class Values:
    """Where the points come from: the labels, or the predictions of a run."""

    project: Project
    run: str | None

    def __post_init__(self) -> None:
        if self.run is not None and self.run not in self.project.prediction_runs():
            raise UserError(f"The run {self.run} has no predictions in {self.project.path}; predict with it first.")

    def labels(self, ids: np.ndarray) -> Labels:
        """The labels of samples; for a run its predictions as visible points."""
        if self.run is None:
            return self.project.labels(ids)
        return Labels.from_points(self.project.predictions(self.run, ids).points)

    def points(self, ids: np.ndarray) -> np.ndarray:
        """float64 [B, K, 2], NaN where there is none."""
        labels = self.labels(ids)
        return np.where(labels.mask[..., None], labels.points, np.nan)

    def cells(self, ids: np.ndarray) -> list[list[str]]:
        """2K cells of text a sample: as they stood in the file it came from where they still hold, else as `number_text`."""
        flat = self.points(ids).reshape(len(ids), -1)
        if self.run is not None:
            return [[_short(value) for value in row] for row in flat.tolist()]
        sources = self.project.source_cells(ids)
        return [_cells(row, source) for row, source in zip(flat.tolist(), sources, strict=True)]


def number_text(value: float) -> str:
    """The shortest text that reads back as the same number; empty for NaN."""
    return "" if math.isnan(value) else repr(value)


def _short(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def _cells(row: list[float], source: tuple[str, ...] | None) -> list[str]:
    if source is None or len(source) != len(row):
        return [number_text(value) for value in row]
    cells: list[str] = []
    for k in range(0, len(row), 2):
        pair, texts = row[k : k + 2], list(source[k : k + 2])
        cells += texts if _holds(pair, texts) else [number_text(value) for value in pair]
    return cells


def _holds(pair: list[float], texts: list[str]) -> bool:
    """Whether a point is still what its cells say; half a point counts as none, as when it was read."""
    values = [_number(text) for text in texts]
    if any(map(math.isnan, values)):
        return math.isnan(pair[0])
    return values == pair


def _number(text: str) -> float:
    try:
        return float(text.strip().strip('"') or "nan")
    except ValueError:
        return math.nan


def in_chunks(ids: np.ndarray, size: int = CHUNK) -> Iterator[np.ndarray]:
    """Slices of the ids."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def safe_names(names: Sequence[str]) -> list[str]:
    """Relative paths below a folder, all different: no way up, no absolute path, no character that a system forbids."""
    used: set[str] = set()
    safe: list[str] = []
    for name in names:
        parts = [
            part.translate(_FORBIDDEN) for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")
        ]
        path = PurePosixPath(*(parts or ["picture"]))
        candidate, number = path, 2
        while str(candidate.with_suffix("")).lower() in used:
            candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
            number += 1
        used.add(str(candidate.with_suffix("")).lower())
        safe.append(str(candidate))
    return safe
