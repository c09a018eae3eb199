"""Labels on disk: written and read back equal, journal steps undone and redone, counts kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.project_data import batch, moved
from training.errors import UserError
from training.faces.labels.labels import Labels, Origin, PointState
from training.faces.labels.schema import KAGGLE_15
from training.storage.project import journal
from training.storage.project.edits.change import change_labels
from training.storage.project.edits.undo import redo, undo
from training.storage.project.journal import read_steps
from training.storage.project.project import Project
from training.storage.project.tables.label_table import label_table
from training.storage.project.tables.labels_codec import decode, encode, pack, unpack


def random_labels(seed: int, *, count: int, keypoints: int) -> Labels:
    random = np.random.default_rng(seed)
    labels = Labels.empty(count, keypoints)
    labels.points[:] = random.normal(50, 30, labels.points.shape)
    labels.states[:] = random.integers(0, 4, labels.states.shape)
    labels.points[~labels.mask] = np.nan
    model = (random.random(labels.states.shape) < 0.2) & labels.mask & (random.random((count, 1)) < 0.5)
    labels.origins[labels.mask] = Origin.PERSON
    labels.origins[model] = Origin.MODEL
    labels.runs[model] = random.integers(1, 2**31 - 1, int(model.sum()))
    labels.confidences[model] = random.random(int(model.sum()), np.float32)
    return labels


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 20), keypoints=st.sampled_from([1, 15, 68]))
def test_labels_come_back_equal(seed: int, count: int, keypoints: int) -> None:
    labels = random_labels(seed, count=count, keypoints=keypoints)
    assert decode(encode(labels), keypoints).same_as(labels)
    assert unpack(pack(labels)).same_as(labels)


def test_rows_of_another_length_are_refused() -> None:
    rows = encode(random_labels(0, count=3, keypoints=15))
    with pytest.raises(UserError, match="1 of the labels read do not have 15 keypoints"):
        decode([*rows, b"short"], 15)


def test_write_and_read_any_ids(tmp_path: Path) -> None:
    with Project.create(tmp_path / "a.fkp", KAGGLE_15) as project:
        project.add_samples(batch(3000))
        ids = np.array([2999, 1, 1500, 7])
        labels = random_labels(1, count=4, keypoints=15)
        project.write_labels(ids, labels)
        assert project.labels(ids).same_as(labels)
        assert project.labels([7, 2999, 7]).same_as(labels[[3, 0, 3]])
        assert project.labels([]).states.shape == (0, 15)
        every = project.labels(project.ids())
        assert every[ids - 1].same_as(labels)
        index = project.index()
        assert np.array_equal(index.missing, every.missing.sum(axis=1))
        assert np.array_equal(index.to_review, (every.origins == Origin.MODEL).sum(axis=1))


def test_unknown_ids_are_refused(project_path: Path) -> None:
    with Project.open(project_path) as project:
        for call in (
            project.sample,
            project.image,
            lambda i: project.labels([i]),
            lambda i: project.labels([1, 2, i]),
        ):
            with pytest.raises(UserError, match="no sample number 99"):
                call(99)
        with pytest.raises(UserError, match="Nothing was changed"):
            project.write_labels([1, 99], project.labels([1, 2]))


def test_the_label_hash_tells_content(project_path: Path) -> None:
    with Project.open(project_path) as project:
        first = project.label_hash()
        before = project.labels([3])
        step = change_labels(project, [3], moved, text="move").step
        assert project.label_hash() != first
        undo(project, step)
        assert project.label_hash() == first
        confirmed = before.copy()
        confirmed.origins[confirmed.mask] = Origin.PERSON
        project.write_labels([3], confirmed)
        assert project.label_hash() == first  # a point's origin does not change the training


def test_the_label_table_counts_states(project_path: Path) -> None:
    with Project.open(project_path) as project:
        table = label_table(project.database, len(project.schema))
        labels = project.labels(project.ids())
    assert table.sum(axis=1).tolist() == [24] * 15
    assert table[3, PointState.OCCLUDED] == 1
    assert table[5, PointState.UNSET] == 8
    assert table[:, PointState.UNSET].tolist() == labels.missing.sum(axis=0).tolist()


def test_steps_undo_and_redo_over_a_reopening(project_path: Path) -> None:
    with Project.open(project_path) as project:
        ids = project.ids()
        start = project.labels(ids)
        first = change_labels(project, ids, moved, text="one").step
        middle = project.labels(ids)
        second = change_labels(project, ids[:2], lambda _: moved(middle[:2], by=5), text="two").step
        end = project.labels(ids)
        assert undo(project, second).tolist() == [1, 2]
    with Project.open(project_path) as project:
        assert [(s.text, s.undone, s.samples) for s in read_steps(project.database)] == [
            ("one", False, 24),
            ("two", True, 2),
        ]
        assert project.labels(ids).same_as(middle)
        undo(project, first)
        assert project.labels(ids).same_as(start)
        redo(project, first)
        redo(project, second)
        assert project.labels(ids).same_as(end)


def test_steps_only_move_in_order(project_path: Path) -> None:
    with Project.open(project_path) as project:
        first = change_labels(project, [1], moved, text="one").step
        second = change_labels(project, [2], moved, text="two").step
        for wrong in (
            lambda: undo(project, first),
            lambda: redo(project, second),
            lambda: undo(project, 99),
        ):
            with pytest.raises(UserError, match="Nothing was changed"):
                wrong()
        undo(project, second)
        undo(project, first)
        with pytest.raises(UserError, match="Nothing was changed"):
            redo(project, second)


def test_a_new_step_drops_what_was_undone(project_path: Path) -> None:
    with Project.open(project_path) as project:
        before = project.labels([1])
        step = change_labels(project, [1], moved, text="one").step
        undo(project, step)
        change_labels(project, [1], lambda _: moved(before, by=2), text="other")
        assert [s.text for s in read_steps(project.database)] == ["other"]
        assert project.database.all("SELECT count(*) FROM step_parts") == [(1,)]


def test_undo_leaves_what_others_changed(project_path: Path) -> None:
    with Project.open(project_path) as project:
        before = project.labels([1])
        step = change_labels(project, [1], moved, text="one").step
        elsewhere = project.labels([1])
        elsewhere.points[0, 9] = 77
        project.write_labels([1], elsewhere)
        undo(project, step)
        after = project.labels([1])
    assert after.points[0, 9].tolist() == [77, 77]
    assert np.array_equal(after.points[0, 0], before.points[0, 0])


def test_the_journal_is_bounded(project_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_STEPS", 30)
    with Project.open(project_path) as project:
        for n in range(40):
            change_labels(project, [1], moved, text=str(n))
        assert [s.text for s in read_steps(project.database)] == [str(n) for n in range(10, 40)]
        monkeypatch.setattr(journal, "MAX_BYTES", 1)
        change_labels(project, [1], moved, text="last")
        assert len(read_steps(project.database)) == journal.ALWAYS_KEPT
        assert project.database.all("SELECT count(DISTINCT step) FROM step_parts") == [(journal.ALWAYS_KEPT,)]


def test_a_damaged_journal_is_told(project_path: Path) -> None:
    with Project.open(project_path) as project:
        step = change_labels(project, [1], moved, text="one").step
        for data in (b"nonsense", b""):
            project.database.sql.execute("UPDATE step_parts SET data = ?", (data,))
            with pytest.raises(UserError, match=r"journal of edits .* is damaged"):
                undo(project, step)


CHILD = """
import sys, time
from pathlib import Path
from training.storage.project.edits.change import change_labels
from training.storage.project.project import Project
project = Project.open(Path(sys.argv[1]))
for n in range(20):
    before = project.labels([1 + n])
    after = before.copy()
    after.points[0, 0] = 1000 + n
    change_labels(project, [1 + n], lambda _: after, text="edit")
    print(n, flush=True)
with project.database.transaction():
    before = project.labels([24])
    after = before.copy()
    after.points[0, 0] = 5
    project.write_labels([24], after)
    print("half", flush=True)
    time.sleep(60)
"""


def test_kill_9_loses_nothing_and_leaves_nothing_half(project_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(project_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip() == "half":
            break
    child.kill()
    child.communicate()
    with Project.open(project_path) as project:
        labels = project.labels(project.ids())
        assert labels.points[:20, 0, 0].tolist() == [1000 + n for n in range(20)]
        assert labels.points[23, 0, 0] != 5
        assert len(read_steps(project.database)) == 20
        assert project.database.one("PRAGMA integrity_check") == ("ok",)
