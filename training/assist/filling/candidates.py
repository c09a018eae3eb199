"""Every point of a project that could be accepted from a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.assist.filling.accept import fill_of, fillable_ids, read_given, to_fill
from training.storage.project.project import Project
from training.storage.project.tables.label_table import blocks

NEVER = -1.0  # stands for a NaN confidence: accepted only if no minimum is set


@dataclass(frozen=True)
class Candidates:
    """Every point that could be accepted, most confident first.

    confidences: float32 [M]. ids: int32 [M], samples. keypoints: int16 [M]. count: K.
    """

    confidences: np.ndarray
    ids: np.ndarray
    keypoints: np.ndarray
    count: int

    def __len__(self) -> int:
        return len(self.confidences)

    @property
    def known(self) -> np.ndarray:
        """float32: the confidences of the points that have one."""
        return self.confidences[self.confidences >= 0]


def read_candidates(project: Project, run: str, *, plain: bool = False) -> Candidates:
    """All faces' unset points that the run has predicted, as `accept` uses them. Reports to the database's progress."""
    fill = None if plain else fill_of(project, run)
    confidences, ids, keypoints = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)], [np.zeros(0, np.int16)]
    for block in blocks(project.database, fillable_ids(project)):
        labels, predictions = read_given(project, run, block, fill=fill)
        rows, points = np.nonzero(to_fill(labels, predictions))
        confidences.append(predictions.confidences[rows, points])
        ids.append(block[rows].astype(np.int32))
        keypoints.append(points.astype(np.int16))
    sure = np.nan_to_num(np.concatenate(confidences), nan=NEVER)
    order = np.argsort(-sure, kind="stable")
    return Candidates(sure[order], _ordered(ids, order), _ordered(keypoints, order), len(project.schema))


def _ordered(parts: list[np.ndarray], order: np.ndarray) -> np.ndarray:
    """Concatenate the parts in this order and empty the list, to save memory with ten million points."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole[order]
