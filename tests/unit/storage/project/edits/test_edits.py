"""Every edit of a project is one step of the journal: undone and redone, and nothing where nothing is to be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from training.errors import UserError
from training.faces.labels.labels import Labels, Origin, PointState
from training.storage.project.edits.change import amend_labels, change_labels
from training.storage.project.edits.move import move_to_split
from training.storage.project.edits.remove import put_back, remove
from training.storage.project.edits.shift import shift_labels
from training.storage.project.edits.step import Edited
from training.storage.project.edits.undo import redo, undo
from training.storage.project.edits.unset_accepted import unset_accepted
from training.storage.project.journal import read_steps
from training.storage.project.project import Project

RUN = "0001-cnn-6"
GONE = 4  # removed before
ACCEPTED = 2  # a face with one point of RUN


@pytest.fixture
def project(project_path: Path) -> Iterator[Project]:
    with Project.open(project_path) as project:
        remove(project, [GONE])
        labels = project.labels([ACCEPTED])
        labels.origins[0, 3], labels.runs[0, 3] = Origin.MODEL, 1
        project.write_labels([ACCEPTED], labels)
        yield project


def moved(project: Project, sample: int, *, keypoints: int) -> Labels:
    labels = project.labels([sample])
    labels.points[0, :keypoints] = 7.5
    labels.states[0, :keypoints] = PointState.VISIBLE
    return labels


EDITS: dict[str, tuple[Callable[[Project], Edited], str]] = {
    "change": (
        lambda p: change_labels(p, [1], lambda _: moved(p, 1, keypoints=3), text="place three points"),
        "place three points",
    ),
    "take back": (lambda p: unset_accepted(p, RUN), f"unset 1 point in 1 face of {RUN}"),
    "shift": (lambda p: shift_labels(p, 1.0, ids=np.array([1])), "shift 15 points in 1 face by +1.00 px in x"),
    "move": (lambda p: move_to_split(p, [1, 2], 2), "move 2 faces to test"),
    "remove": (lambda p: remove(p, [1]), "remove 1 face"),
    "put back": (lambda p: put_back(p, [GONE]), "put back 1 face"),
}
NOTHING: dict[str, Callable[[Project], Edited]] = {
    "change": lambda p: change_labels(p, [1], Labels.copy, text="none"),
    "take back": lambda p: unset_accepted(p, "0009-other"),
    "shift": lambda p: shift_labels(p, 1.0, ids=np.zeros(0, np.int64)),
    "move": lambda p: move_to_split(p, [1], int(p.splits([1])[0])),
    "remove": lambda p: remove(p, [GONE]),
    "put back": lambda p: put_back(p, [1]),
}


@pytest.mark.parametrize(("edit", "text"), EDITS.values(), ids=EDITS)
def test_an_edit_is_one_step_undone_and_redone(project: Project, edit: Callable[[Project], Edited], text: str) -> None:
    def now() -> tuple[Labels, list[int]]:
        return project.labels(project.ids()), project.index().splits.tolist()

    def same(a: tuple[Labels, list[int]], b: tuple[Labels, list[int]]) -> bool:
        return a[0].same_as(b[0]) and a[1] == b[1]

    project.set_groups(project.ids(), [""] * len(project))
    before, steps = now(), len(read_steps(project.database))
    done = edit(project)
    after = now()
    assert done.step is not None
    assert not same(before, after)
    assert [step.text for step in read_steps(project.database)[steps:]] == [text]
    assert undo(project, done.step).tolist() == done.ids.tolist()
    assert same(now(), before)
    assert redo(project, done.step).tolist() == done.ids.tolist()
    assert same(now(), after)


@pytest.mark.parametrize("edit", NOTHING.values(), ids=NOTHING)
def test_an_edit_that_changes_nothing_writes_no_step(project: Project, edit: Callable[[Project], Edited]) -> None:
    steps = read_steps(project.database)
    done = edit(project)
    assert (done.points, done.ids.tolist(), done.step) == (0, [], None)
    assert read_steps(project.database) == steps


def test_a_change_counts_the_points_that_differ(project: Project) -> None:
    assert change_labels(project, [1], lambda _: moved(project, 1, keypoints=3), text="three").points == 3


def test_only_the_newest_step_is_amended(project: Project) -> None:
    before = project.labels([1])
    first = change_labels(project, [1], lambda _: moved(project, 1, keypoints=1), text="nudge").step
    assert first is not None
    amend_labels(project, first, [1], lambda _: moved(project, 1, keypoints=2))
    assert (project.labels([1]).points[0, :2] == 7.5).all()
    undo(project, first)
    assert project.labels([1]).same_as(before)
    with pytest.raises(UserError, match="changed elsewhere"):
        amend_labels(project, first, [1], lambda _: before)
