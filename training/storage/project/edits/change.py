"""Changes the labels of a few samples, as when a person places a point.

The change is a function of the labels, applied to what it finds inside the transaction that writes, so that points
which another program wrote in the meantime stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from training.faces.labels.labels import Labels
from training.storage.project.edits.step import Edited
from training.storage.project.journal import StepWriter, amend_step, pack_points
from training.storage.project.project import Project
from training.storage.project.tables.label_table import as_ids

Change = Callable[[Labels], Labels]  # from labels [B, K] to labels [B, K]


def change_labels(project: Project, ids: Sequence[int] | np.ndarray, change: Change, *, text: str) -> Edited:
    """Change the labels of `ids`; `text` describes the step. There is none if nothing differs."""
    ids = as_ids(ids)
    with project.database.transaction():
        before = project.labels(ids)
        after = change(before)
        points = int((pack_points(before) != pack_points(after)).sum())
        if not points:
            return Edited(0, ids[:0], None)
        writer = StepWriter(project.database, text)
        writer.write(ids, before, after)
        writer.finish()
    return Edited(points, ids, writer.id)


def amend_labels(project: Project, step: int, ids: Sequence[int] | np.ndarray, change: Change) -> None:
    """Change the labels again as part of the newest step (of the same samples `ids`), as for repeated nudges.

    Raises UserError if it is not the newest, or was undone.
    """
    ids = as_ids(ids)
    with project.database.transaction():
        amend_step(project.database, step, ids, change(project.labels(ids)))
