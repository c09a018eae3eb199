"""The store's columns of all samples, kept as the project has them."""

from __future__ import annotations

import numpy as np

from training.project.columns import SampleIndex, missing_counts, review_counts
from training.project.project import Project


def refresh(index: SampleIndex, project: Project, ids: np.ndarray) -> None:
    """Take over what an edit of these samples changed: their labels' counts and their splits."""
    labels = project.labels(ids)
    index.missing[ids - 1] = missing_counts(labels)
    index.to_review[ids - 1] = review_counts(labels)
    index.splits[ids - 1] = project.splits(ids)
