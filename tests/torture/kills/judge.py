"""Is everything there that was acknowledged, and is the edit that was cut off done as a whole or not at all?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.torture.kills.editor import NEW_FACES, shape
from tests.torture.project_digest import content, faults
from training.storage.project.edits.undo import redo, undo
from training.storage.project.journal import read_steps
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import missing_counts, review_counts

_MOST_UNDONE = 4  # steps of one edit "undo"


@dataclass(frozen=True)
class Acknowledged:
    """What the editor last said that the project holds."""

    digest: str
    samples: int
    newest: int
    undone: int
    imports: int


def judge(path: Path, last: Acknowledged, begun: str | None) -> list[str]:
    """What is wrong, in words. begun: the edit that was under way."""
    with Project.open(path) as project:
        return [
            *_unlike(project, last, begun),
            *_columns(project),
            *_undo_and_redo(project),
            *faults(path),
        ]


def _columns(project: Project) -> list[str]:
    labels, index = project.labels(project.ids()), project.index()
    same = np.array_equal(index.missing, missing_counts(labels))
    same &= np.array_equal(index.to_review, review_counts(labels))
    return [] if same else ["the columns do not agree with the labels"]


def _undo_and_redo(project: Project) -> list[str]:
    before = content(project)
    done = [step.id for step in read_steps(project.database) if not step.undone][-3:]
    for step in reversed(done):
        undo(project, step)
    for step in done:
        redo(project, step)
    return [] if content(project) == before else ["undo and redo of the newest steps do not lead back"]


def _unlike(project: Project, last: Acknowledged, begun: str | None) -> list[str]:
    samples, newest, undone, imports = there = tuple(shape(project))
    known = (last.samples, last.newest, last.undone, last.imports)
    now = content(project)
    if (now, there) == (last.digest, known):
        return []
    if begun is None:
        return [f"it differs though nothing was under way: {known} became {there}"]
    if begun == "import":
        fine = (samples, imports) == (last.samples + NEW_FACES, last.imports + 1)
        fine = fine and content(project, last.samples) == last.digest
    elif begun in ("undo", "redo"):
        fine = (samples, imports) == (last.samples, last.imports) and _moved_back(project, last, begun)
    elif newest > last.newest and undone == 0:
        fine = _undone_it_is_as_before(project, last, now)
    else:  # further nudges belong to a step that was there
        fine = begun == "nudge" and (samples, newest, imports) == (last.samples, last.newest, last.imports)
    return [] if fine else [f"{begun} is half done: {known} became {there}"]


def _undone_it_is_as_before(project: Project, last: Acknowledged, now: str) -> bool:
    step = read_steps(project.database)[-1].id
    undo(project, step)
    before = content(project, last.samples)
    redo(project, step)
    return before == last.digest and content(project) == now


def _moved_back(project: Project, last: Acknowledged, begun: str) -> bool:
    """Take back what the edit "undo" or "redo" did in part, and look whether that leads to the known state."""
    steps = abs(shape(project)[2] - last.undone)
    for _ in range(steps):
        history = read_steps(project.database)
        if begun == "undo":
            redo(project, next(step.id for step in history if step.undone))
        else:
            undo(project, next(step.id for step in reversed(history) if not step.undone))
    return 0 < steps <= _MOST_UNDONE and content(project) == last.digest
