"""Moving faces to another split: one journal step that keeps people together and marks runs as stale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.project_data import batch, moved
from training.errors import UserError
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.edits.change import change_labels
from training.storage.project.edits.move import move_to_split
from training.storage.project.edits.undo import redo, undo
from training.storage.project.journal import read_steps
from training.storage.project.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Twelve faces of five people (p0 to p4 in turn), in train, val, test in turn."""
    made = Project.create(tmp_path / "p.fkp", KAGGLE_15)
    made.add_samples(batch(12))
    return made


def splits(project: Project) -> list[int]:
    return project.index().splits.tolist()


def test_a_face_moves_with_all_of_its_person(project: Project) -> None:
    done = move_to_split(project, [1], 1)
    assert done.ids.tolist() == [1, 6], "of p0 there are 1, 6 and 11, and 11 is in val already"
    assert done.points == 2
    assert [splits(project)[i] for i in (0, 5, 10)] == [1, 1, 1]
    assert read_steps(project.database)[-1].text == "move 1 face and 1 more of the same person or photo to val"
    assert project.splits([11, 2, 1]).tolist() == [1, 1, 1]


def test_faces_without_a_group_move_alone(project: Project) -> None:
    project.set_groups(project.ids(), [""] * 12)
    assert move_to_split(project, [3, 4], 0).ids.tolist() == [3]
    assert read_steps(project.database)[-1].text == "move 1 face to train"


def test_where_all_are_there_already_there_is_no_step(project: Project) -> None:
    move_to_split(project, [1], 2)
    assert move_to_split(project, [1], 2).step is None
    assert len(read_steps(project.database)) == 1


def test_undo_redo_undo_between_edits_of_labels(project: Project) -> None:
    before = splits(project)
    first = move_to_split(project, [1, 2], 2).step
    after = splits(project)
    labels = project.labels([1])
    second = change_labels(project, [1], lambda _: moved(labels), text="move a point").step
    assert first is not None
    with pytest.raises(UserError, match="changed elsewhere"):
        undo(project, first)
    undo(project, second)
    assert undo(project, first).tolist() == [1, 2, 7, 11]
    assert splits(project) == before
    redo(project, first)
    assert splits(project) == after
    undo(project, first)
    assert splits(project) == before


def test_a_run_is_stale_while_faces_are_elsewhere_than_when_it_was_made(project: Project) -> None:
    at_first = project.label_hash()
    step = move_to_split(project, [1], 1).step
    elsewhere = project.label_hash()
    assert elsewhere != at_first
    assert step is not None
    undo(project, step)
    assert project.label_hash() == at_first
    redo(project, step)
    assert project.label_hash() == elsewhere


def test_many_faces_move_in_parts(tmp_path: Path) -> None:
    with Project.create(tmp_path / "many.fkp", KAGGLE_15) as project:
        for part in range(2):
            project.add_samples(batch(2500, first=2500 * part))
        project.set_groups(project.ids(), [""] * 5000)
        step = move_to_split(project, project.ids(), 0).step
        assert set(splits(project)) == {0}
        assert step is not None
        undo(project, step)
        assert splits(project) == (np.arange(2500) % 3).tolist() * 2


def test_a_damaged_journal_is_refused_and_nothing_changes(project: Project) -> None:
    step = move_to_split(project, [1], 1).step
    assert step is not None
    after = splits(project)
    project.database.sql.execute("UPDATE step_parts SET data = ? WHERE step = ?", (b"x", step))
    with pytest.raises(UserError, match="journal of edits"):
        undo(project, step)
    assert splits(project) == after
