"""The store's columns of all samples, kept as the project has them."""

from __future__ import annotations

import numpy as np

from training.storage.project.columns import SampleIndex, missing_counts, read_rows, review_counts
from training.storage.project.journal import read_step_cut
from training.storage.project.project import Project


def refresh(index: SampleIndex, project: Project, ids: np.ndarray, *, step: int = 0) -> bool:
    """Take over what an edit of these samples changed: their labels' counts and their splits.

    step: the step of the journal that was done or undone. Returns whether it cut a face anew, so that it has another picture.
    """
    labels = project.labels(ids)
    index.missing[ids - 1] = missing_counts(labels)
    index.to_review[ids - 1] = review_counts(labels)
    index.splits[ids - 1] = project.splits(ids)
    if not step or read_step_cut(project.database, step) is None:
        return False
    for row in (ids - 1).tolist():
        small = read_rows(project.database, row, row + 1)[0]
        for name in ("widths", "heights", "flagged"):
            getattr(index, name)[row] = small[name]
    return True
