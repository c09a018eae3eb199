"""Corrects a common shift of imported labels, in one step of the journal; manual and model labels are not moved."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from training.assist.filling.accept import Accepted, write_changes
from training.faces.labels.labels import Labels, Origin
from training.storage.project.database import Database
from training.storage.project.label_table import blocks, read_labels


def shift_labels(database: Database, dx: float, keypoints: int, *, ids: np.ndarray | None = None) -> Accepted:
    """Move the imported points of `ids` (None: all) right by dx px, in one transaction, keeping their provenance."""

    def changes() -> Iterator[tuple[np.ndarray, Labels, Labels, np.ndarray]]:
        for block in blocks(database, ids):
            labels = read_labels(database, block, keypoints)
            where = to_shift(labels)
            yield block, labels, shifted(labels, dx, where), where

    return write_changes(database, changes(), text=None, verb="shift", ending=f" by {dx:+.2f} px in x")


def to_shift(labels: Labels) -> np.ndarray:
    """bool [B, K]: imported points with coordinates that have not been edited since."""
    return np.asarray(labels.mask & (labels.origins == Origin.IMPORTED))


def shifted(labels: Labels, dx: float, where: np.ndarray) -> Labels:
    """`labels` with the points `where` [B, K] moved by dx px to the right."""
    moved = labels.copy()
    moved.points[where, 0] += dx
    return moved
