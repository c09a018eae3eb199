"""Moves imported labels that all share one offset. Labels set by a person or a model stay."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from training.faces.labels.labels import Labels, Origin
from training.storage.project.edits.step import Change, Edited, write_changes
from training.storage.project.project import Project
from training.storage.project.tables.label_table import blocks


def shift_labels(project: Project, dx: float, *, ids: np.ndarray | None = None) -> Edited:
    """Move the imported points of `ids` (None: all) by dx px to the right; their provenance stays."""

    def changes() -> Iterator[Change]:
        for block in blocks(project.database, ids):
            labels = project.labels(block)
            where = to_shift(labels)
            yield block, labels, shifted(labels, dx, where), where

    return write_changes(project, changes(), verb="shift", ending=f" by {dx:+.2f} px in x")


def to_shift(labels: Labels) -> np.ndarray:
    """bool [B, K]: imported points with coordinates that have not been edited since."""
    return np.asarray(labels.mask & (labels.origins == Origin.IMPORTED))


def shifted(labels: Labels, dx: float, where: np.ndarray) -> Labels:
    """`labels` with the points `where` [B, K] moved by dx px to the right."""
    moved = labels.copy()
    moved.points[where, 0] += dx
    return moved
