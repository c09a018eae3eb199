"""Small batches of samples for the tests of the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.conftest import faces
from training.faces.labels.labels import Labels, Origin
from training.faces.labels.samples import SampleBatch


def batch(count: int, *, first: int = 0, side: int = 96, paths: tuple[Path, ...] | None = None) -> SampleBatch:
    """Samples with stored pixels, or with image files."""
    pixels, labels = faces(min(count, 24), first=first)
    rows = np.arange(count) % len(labels)
    return SampleBatch(
        names=tuple(f"face-{first + i}" for i in range(count)),
        sources=tuple(f"training.csv#{first + i}" for i in range(count)),
        labels=labels[rows],
        widths=np.full(count, side, np.int32),
        heights=np.full(count, side, np.int32),
        groups=tuple(f"p{i % 5}" for i in range(count)),
        splits=(np.arange(count) % 3).astype(np.uint8),
        pixels=pixels[rows][:, :side, :side] if paths is None else None,
        paths=paths,
        source_cells=tuple((f"{first + i}.50", "") for i in range(count)),
        flags=tuple(("outside",) if i == 1 else () for i in range(count)),
    )


def moved(labels: Labels, *, by: float = 1.0) -> Labels:
    """The labels after a person moved the first point of each sample."""
    after = labels.copy()
    after.points[:, 0] = np.nan_to_num(after.points[:, 0]) + by
    after.states[:, 0] = 1
    after.origins[:, 0] = Origin.PERSON
    return after
