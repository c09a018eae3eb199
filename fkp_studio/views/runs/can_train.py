"""Whether a recipe can be trained on the labels as they are, and if not, why; with no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.storage.runs.settings.recipes import RECIPES

if TYPE_CHECKING:
    from fkp_studio.document.store import ProjectStore


@dataclass(frozen=True)
class Facts:
    """Counts that decide what can be trained: faces in train with at least one point, with all points, and faces in val."""

    opened: bool
    labelled: int
    complete: int
    val: int

    @classmethod
    def of(cls, store: ProjectStore | None) -> Facts:
        """The counts of a project, from the columns in memory."""
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
    """A sentence on why this recipe can't be trained now; "" when it can."""
    if not facts.opened:
        return "Open or import a data set first."
    if not facts.labelled:
        return "No face in train has a point yet: place some by hand, or import labels."
    if RECIPES[recipe].config.rows == "complete" and not facts.complete:
        return f"No complete face in train: {recipe} needs faces with all points. ml-cnn takes them as they are."
    return ""


def warning(facts: Facts) -> str:
    """What will be missing although training works; "" for nothing."""
    if facts.opened and facts.labelled and not facts.val:
        return "No face is in val: the error can't be measured. Set some faces' split to val."
    return ""
