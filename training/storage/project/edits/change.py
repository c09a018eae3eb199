"""Replaces labels, as when a person places a point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.faces.labels.labels import Labels
from training.storage.project.edits.step import Edited
from training.storage.project.journal import StepWriter, amend_step, pack_points
from training.storage.project.project import Project
from training.storage.project.tables.label_table import as_ids


def change_labels(
    project: Project, ids: Sequence[int] | np.ndarray, before: Labels, after: Labels, *, text: str
) -> Edited:
    """Replace the labels of `ids`; `text` describes the step."""
    ids = as_ids(ids)
    with project.database.transaction():
        writer = StepWriter(project.database, text)
        writer.write(ids, before, after)
        writer.finish()
    return Edited(_differing(before, after), ids, writer.id)


def amend_labels(project: Project, step: int, ids: Sequence[int] | np.ndarray, after: Labels) -> None:
    """Replace the final labels of the newest step (of the same samples `ids`), as for repeated nudges.

    Raises UserError if it is not the newest, or was undone.
    """
    with project.database.transaction():
        amend_step(project.database, step, as_ids(ids), after)


def _differing(before: Labels, after: Labels) -> int:
    return int((pack_points(before) != pack_points(after)).sum())
