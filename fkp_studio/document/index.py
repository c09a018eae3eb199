"""Updates the store's index of all samples after an edit."""

from __future__ import annotations

import numpy as np

from training.storage.project.columns import SampleIndex, missing_counts, read_rows, review_counts
from training.storage.project.journal import read_step_cut
from training.storage.project.project import Project


def refresh(index: SampleIndex, project: Project, ids: np.ndarray, *, step: int = 0) -> bool:
    """Update the label counts and splits of these samples in place.

    step: the journal step done or undone. Returns whether it changed a face's crop and so its image.
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
