"""What every edit returns, and label changes block by block in one transaction and one step of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.faces.labels.labels import Labels
from training.storage.project.journal import StepWriter
from training.storage.project.project import Project
from training.words import counted

Change = tuple[np.ndarray, Labels, Labels, np.ndarray]  # ids [B], before, after, changed points bool [B, K]


@dataclass(frozen=True)
class Edited:
    """What was changed: `points` points of the samples `ids`. step: of the journal, None if nothing changed."""

    points: int
    ids: np.ndarray
    step: int | None


def write_changes(project: Project, changes: Iterator[Change], *, verb: str, ending: str) -> Edited:
    """Write the changes as one step, described by verb, counts and ending."""
    touched, points, writer = [np.zeros(0, np.int64)], 0, None
    with project.database.transaction():
        for ids, before, after, where in changes:
            rows = np.flatnonzero(where.any(axis=1))
            if not len(rows):
                continue
            writer = writer or StepWriter(project.database, verb)
            writer.write(ids[rows], before[rows], after[rows])
            points += int(where.sum())
            touched.append(ids[rows])
        ids = np.concatenate(touched)
        if writer is not None:
            writer.finish(f"{verb} {counted(points, 'point')} in {counted(len(ids), 'face')}{ending}")
    return Edited(points, ids, writer.id if writer else None)


def cleared(labels: Labels, where: np.ndarray) -> Labels:
    """`labels` with the points `where` [B, K] unset."""
    result, empty = labels.copy(), Labels.empty(1, labels.states.shape[1])
    for name in ("points", "states", "origins", "runs", "confidences"):
        values = getattr(result, name)
        values[where] = np.broadcast_to(getattr(empty, name), values.shape)[where]
    return result
