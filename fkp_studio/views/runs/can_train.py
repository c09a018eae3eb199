"""Whether a recipe can be trained on the current labels, and why not. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.storage.runs.settings.recipes import RECIPES

if TYPE_CHECKING:
    from fkp_studio.document.store import ProjectStore


@dataclass(frozen=True)
class Facts:
    """Counts that decide what can be trained.

    labelled, complete: faces in train with at least one point, with all points. val: faces in val.
    """

    opened: bool
    labelled: int
    complete: int
    val: int

    @classmethod
    def of(cls, store: ProjectStore | None) -> Facts:
        """Count the faces of a project from its index in memory."""
        if store is None:
            return cls(False, 0, 0, 0)
        index, keypoints = store.index(), len(store.schema)
        train = index.splits == 0
        return cls(
            opened=True,
            labelled=int(np.count_nonzero(train & (index.missing < keypoints))),
            complete=int(np.count_nonzero(train & (index.missing == 0))),
            val=int(np.count_nonzero(index.splits == 1)),
        )


def why_not(recipe: str, facts: Facts) -> str:
    """Why this recipe can't be trained now, as a sentence; "" if it can."""
    if not facts.opened:
        return "Open or import a data set first."
    if not facts.labelled:
        return "No face in train has a label yet: place some points, or import labels."
    if RECIPES[recipe].config.data.rows == "complete" and not facts.complete:
        return f"No complete face in train: {recipe} needs faces with all points. ml-cnn does not."
    return ""


def warning(facts: Facts) -> str:
    """What will be missing although training is possible; "" for nothing."""
    if facts.opened and facts.labelled and not facts.val:
        return "No face in val, so the error can't be measured. Move some faces to val."
    return ""
