"""What every reader returns: samples in chunks, so that memory does not grow with the source."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from training.faces.labels.labels import Labels
from training.faces.labels.samples import FLAG_HALF_POINT, FLAG_OUTSIDE, SampleBatch
from training.faces.labels.schema import KeypointSchema
from training.progress import Progress
from training.sources.formats.problems import Findings

CHUNK = 256


@dataclass(frozen=True)
class Chunk:
    """Some samples as read.

    looks: uint8 [B, 16, 16], to find near-duplicates. given: bool [B], the source names the split.
    """

    batch: SampleBatch
    looks: np.ndarray
    given: np.ndarray


class Reader(Protocol):
    """A source whose header has been read and understood; opening one raises UserError where it is wrong.

    schema: None where the source has no labels, so that it fits any schema.
    """

    source: Path
    schema: KeypointSchema | None
    findings: Findings

    def count(self) -> tuple[int, bool]:
        """How many samples there are, and whether that is exact rather than estimated from the file's size."""

    def chunks(self, schema: KeypointSchema, *, progress: Progress, size: int = CHUNK) -> Generator[Chunk]:
        """All samples in order, `size` at a time. Raises UserError for what cannot be read, Cancelled."""


def check_points(labels: Labels, *, widths: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """bool [B, K]: points outside their image, whose pixels reach from -0.5 to width - 0.5."""
    x, y = labels.points[:, :, 0], labels.points[:, :, 1]
    with np.errstate(invalid="ignore"):
        outside = (x < -0.5) | (y < -0.5) | (x > widths[:, None] - 0.5) | (y > heights[:, None] - 0.5)
    return outside & labels.mask


def flags_of(outside: np.ndarray, half: np.ndarray) -> tuple[tuple[str, ...], ...]:
    """The flags of B samples from bool [B, K] each."""
    rows = np.stack([outside.any(axis=1), half.any(axis=1)], axis=1).tolist()  # [B, 2]
    return tuple(
        tuple(flag for flag, on in zip((FLAG_OUTSIDE, FLAG_HALF_POINT), row, strict=True) if on) for row in rows
    )
