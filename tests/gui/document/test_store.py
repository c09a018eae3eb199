"""ProjectStore: every edit is on disk, undone and redone, even after a restart, and changes are emitted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from fkp_studio.document.changes import Changes
from fkp_studio.document.members import accept_face
from fkp_studio.document.session import Session
from fkp_studio.document.store import ProjectStore
from tests.conftest import make_project
from training.assist.filling.accept import accept
from training.errors import UserError
from training.faces.labels.labels import Labels, Origin, PointState
from training.storage.project import journal
from training.storage.project.edits.change import change_labels
from training.storage.project.edits.unset_accepted import unset_accepted
from training.storage.project.journal import read_steps
from training.storage.project.project import Project
from training.storage.project.tables.predictions import prediction_runs

RUN = "0001-ml-resnet"
POOR = 3  # a face that lacks 11 points


@pytest.fixture
def store(session: Session) -> ProjectStore:
    assert session.store is not None
    return session.store


def on_disk(store: ProjectStore) -> Labels:
    with Project.open(store.path, read_only=True) as project:
        return project.labels(project.ids())


def predict(store: ProjectStore, qtbot: QtBot, *, confidence: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Predictions for every face: one pixel right of the labels, and somewhere for missing points."""
    points = np.nan_to_num(store.labels(store.ids()).points + np.array([1, 0]), nan=40.0).astype(np.float32)
    confidences = np.full(points.shape[:2], confidence, np.float32)
    confidences[:, 5] = 0.1
    with qtbot.waitSignal(store.changed):
        store.columns.write(RUN, store.ids(), points, confidences)
    return points, confidences


def accept_all(store: ProjectStore, *, sure: float = 0.0) -> int | None:
    return store.edit(lambda project: accept(project, RUN, min_confidence=sure))


def take_all_back(store: ProjectStore) -> int | None:
    return store.edit(lambda project: unset_accepted(project, RUN))


EDITS: dict[str, Callable[[ProjectStore], object]] = {
    "place": lambda s: s.place(POOR, 5, (10.5, 20.25)),
    "place occluded": lambda s: s.place(POOR, 5, (10.5, 20.25), state=PointState.OCCLUDED),
    "move": lambda s: s.place(1, 0, (1.0, 2.0)),
    "occluded": lambda s: s.set_state(1, 0, PointState.OCCLUDED),
    "absent": lambda s: s.set_state(1, 0, PointState.ABSENT),
    "unset": lambda s: s.set_state(1, 0, PointState.UNSET),
    "accept one": lambda s: accept_face(s, RUN, POOR, keypoints=[5]),
    "accept face": lambda s: accept_face(s, RUN, POOR),
    "accept all": lambda s: accept_all(s, sure=0.5),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_redo_undo_redo(store: ProjectStore, qtbot: QtBot, edit: Callable[[ProjectStore], object]) -> None:
    predict(store, qtbot)
    before = on_disk(store)
    edit(store)
    after = on_disk(store)
    assert not after.same_as(before)
    store.undo_stack.undo()
    assert on_disk(store).same_as(before)
    store.undo_stack.redo()
    assert on_disk(store).same_as(after)
    assert np.array_equal(store.index().missing, after.missing.sum(axis=1))
    assert np.array_equal(store.index().to_review, (after.origins == Origin.MODEL).sum(axis=1))


def test_bulk_runs_beside_the_window(qtbot: QtBot, tmp_path: Path) -> None:
    store = ProjectStore(Project.open(make_project(tmp_path / "big.fkp", count=300)))
    with qtbot.waitSignal(store.changed):
        store.columns.write(RUN, store.ids(), np.full((300, 15, 2), 40.0), np.full((300, 15), 0.9))
    before = on_disk(store)
    seen: list[Changes] = []
    store.changed.connect(seen.append)
    with qtbot.waitSignal(store.saved) as saved:
        assert accept_all(store) is None
        assert store.busy
        with pytest.raises(UserError, match="still being written"):
            store.place(1, 0, (1, 1))
    assert saved.args == ["accept 1,100 points in 100 faces of 0001-ml-resnet"]
    assert not store.busy
    assert [len(c.ids) for c in seen if c.labels and c.ids is not None] == [100]
    assert not store.index().missing.any()
    with qtbot.waitSignal(store.saved) as saved:
        assert take_all_back(store) is None
    assert on_disk(store).same_as(before)
    with qtbot.waitSignal(store.saved):
        store.undo_stack.undo()
    assert not on_disk(store).missing.any()
    store.close()


def test_an_undo_while_a_large_change_is_written_is_refused(qtbot: QtBot, tmp_path: Path) -> None:
    store = ProjectStore(Project.open(make_project(tmp_path / "big.fkp", count=300)))
    with qtbot.waitSignal(store.changed):
        store.columns.write(RUN, store.ids(), np.full((300, 15, 2), 40.0), np.full((300, 15), 0.9))
    store.place(1, 0, (5, 5))
    sentences: list[str] = []
    store.failed.connect(sentences.append)
    accept_all(store)
    store.undo_stack.undo()
    assert "Wait for it" in sentences[0]
    qtbot.waitUntil(lambda: not store.busy and store.undo_stack.count() == 2 == store.undo_stack.index())
    assert store.labels([1]).points[0, 0].tolist() == [5, 5]
    store.close()


def test_labels_are_never_replaced_by_accept(store: ProjectStore, qtbot: QtBot) -> None:
    predict(store, qtbot)
    store.set_state(POOR, 5, PointState.ABSENT)
    store.place(POOR, 6, (3, 4))
    before = store.labels([POOR])
    points = store.edit(lambda project: accept(project, RUN, [POOR], min_confidence=0.5), samples=1)
    after = store.labels([POOR])
    assert points == 9  # 11 were missing; a person has decided two of them
    kept = ~before.missing
    assert np.array_equal(before.points[kept], after.points[kept], equal_nan=True)
    assert np.array_equal(before.states[kept], after.states[kept])
    filled = before.missing & ~after.missing
    assert (after.origins[filled] == Origin.MODEL).all()
    assert (after.runs[filled] == 1).all()
    assert np.allclose(after.confidences[filled], 0.9)
    assert accept_face(store, RUN, POOR) == 0


def test_a_moved_point_becomes_a_persons(store: ProjectStore, qtbot: QtBot) -> None:
    predict(store, qtbot)
    accept_face(store, RUN, POOR, keypoints=[7, 8])
    store.place(POOR, 7, (9, 9))
    store.set_state(POOR, 8, PointState.VISIBLE)
    labels = store.labels([POOR])
    assert labels.origins[0, [7, 8]].tolist() == [Origin.PERSON, Origin.PERSON]
    assert take_all_back(store) == 0


def test_accept_fills_from_a_confidence_on(store: ProjectStore, qtbot: QtBot) -> None:
    predict(store, qtbot)
    assert accept_all(store, sure=0.5) == 80


def test_states_by_hand(store: ProjectStore) -> None:
    at = store.labels([1]).points[0, 0].copy()
    store.set_state(1, 0, PointState.OCCLUDED)
    assert np.array_equal(store.labels([1]).points[0, 0], at)
    store.set_state(1, 0, PointState.ABSENT)
    assert np.isnan(store.labels([1]).points[0, 0]).all()
    with pytest.raises(UserError, match="Click where the left eye center is first"):
        store.set_state(1, 0, PointState.VISIBLE)
    store.set_state(1, 0, PointState.UNSET)
    assert store.labels([1]).origins[0, 0] == Origin.NONE
    assert [store.undo_stack.command(i).text() for i in range(3)] == [
        "mark left eye center occluded",
        "mark left eye center absent",
        "unset left eye center",
    ]


def test_the_signals_tell_what_happened(store: ProjectStore) -> None:
    seen: list[Changes] = []
    texts: list[str] = []
    store.changed.connect(seen.append)
    store.saved.connect(texts.append)
    me = object()
    store.place(POOR, 5, (1, 2), source=me)
    store.undo_stack.undo()
    assert [c.ids.tolist() for c in seen if c.ids is not None] == [[POOR], [POOR]]
    assert seen[0].source is me
    assert seen[1].source is None
    title = store.schema.titles[5]
    assert texts == [f"place {title}", f"undone: place {title}"]


def test_nothing_changed_is_no_step(store: ProjectStore) -> None:
    store.place(1, 0, (5, 5))
    store.place(1, 0, (5, 5))
    store.set_state(1, 0, PointState.VISIBLE)
    assert store.undo_stack.count() == 1


def test_nudges_in_a_row_are_one_step(store: ProjectStore) -> None:
    start = store.labels([1]).points[0, 0].copy()
    for _ in range(5):
        x, y = store.labels([1]).points[0, 0]
        store.place(1, 0, (x + 1, y))
    store.place(1, 1, (50, 50))
    assert [store.undo_stack.command(i).text() for i in range(2)] == ["move left eye center", "move right eye center"]
    store.undo_stack.undo()
    store.undo_stack.undo()
    assert np.array_equal(store.labels([1]).points[0, 0], start)
    store.undo_stack.redo()
    assert np.allclose(store.labels([1]).points[0, 0], start + np.array([5, 0]))


def test_a_restart_brings_back_the_stack(session: Session) -> None:
    store, path = session.store, session.store.path
    for k in range(4):
        store.place(1, k, (k, k))
    store.undo_stack.undo()
    store.undo_stack.undo()
    session.close_project()
    session.open_project(path)
    stack = session.store.undo_stack
    assert (stack.count(), stack.index()) == (4, 2)
    assert stack.undoText() == "move right eye center"
    assert stack.redoText() == "move left eye inner corner"
    stack.redo()
    assert session.store.labels([1]).points[0, 2].tolist() == [2, 2]
    stack.setIndex(0)
    assert session.store.labels([1]).origins[0, :4].tolist() == [Origin.IMPORTED] * 4
    session.store.place(1, 9, (9, 9))
    assert (stack.count(), stack.index()) == (1, 1)


def test_another_program_fills_while_the_window_is_open(store: ProjectStore, qtbot: QtBot) -> None:
    predict(store, qtbot)
    with Project.open(store.path) as other:
        accepted = accept(other, RUN)
    with qtbot.waitSignal(store.changed) as changed:
        store.external.look()
    assert changed.args[0].ids is None
    assert changed.args[0].labels
    assert not store.index().missing.any()
    assert store.undo_stack.count() == 1
    store.undo_stack.undo()
    assert int(on_disk(store).missing.sum()) == accepted.points


def test_own_writes_are_not_taken_for_anothers(store: ProjectStore, qtbot: QtBot) -> None:
    predict(store, qtbot)
    store.place(1, 0, (1, 1))
    seen: list[Changes] = []
    store.changed.connect(seen.append)
    store.external.look()
    store.external.look()
    qtbot.waitUntil(lambda: True)
    assert seen == []


def test_an_undo_that_another_program_forestalled(store: ProjectStore, qtbot: QtBot) -> None:
    store.place(1, 0, (1, 1))
    with Project.open(store.path) as other:
        before = other.labels([2])
        after = before.copy()
        after.points[0, 0] = 7
        change_labels(other, [2], lambda _: after, text="elsewhere")
    with qtbot.waitSignal(store.failed), qtbot.waitSignal(store.changed):
        store.undo_stack.undo()
    assert store.labels([1]).points[0, 0].tolist() == [1, 1]
    assert (store.undo_stack.count(), store.undo_stack.index(), store.undo_stack.undoText()) == (2, 2, "elsewhere")


def test_a_locked_project_refuses_the_edit_with_a_sentence(store: ProjectStore) -> None:
    refused = pytest.raises(UserError, match="Another program is currently writing")
    with Project.open(store.path) as other, other.database.transaction(), refused:
        store.place(1, 0, (1, 1))
    assert store.undo_stack.count() == 0
    store.place(1, 0, (1, 1))


def test_a_full_disk_loses_nothing(store: ProjectStore, qtbot: QtBot) -> None:
    store.place(1, 0, (1, 1))
    before = on_disk(store)
    pages = store.project.database.one("PRAGMA page_count")
    store.project.database.one(f"PRAGMA max_page_count = {pages[0]}")
    with pytest.raises(UserError, match=r"disk .* is full.*all earlier changes are safe"):
        for i in range(100_000):
            store.place(1 + i % 20, i % 15, (i % 90, i % 80 + 3))
    last = on_disk(store)
    store.project.database.one("PRAGMA max_page_count = 1000000")
    store.place(2, 0, (2, 2))
    while store.undo_stack.canUndo() and store.undo_stack.index() > 1:
        store.undo_stack.undo()
    assert on_disk(store).same_as(before)
    assert not last.same_as(before)


def test_columns_for_sorting_follow_the_edits(store: ProjectStore, qtbot: QtBot) -> None:
    predict(store, qtbot)
    with qtbot.waitSignal(store.changed):
        error, _ = store.columns.of(RUN)
        assert np.isnan(error).all()
    error, confidence = store.columns.of(RUN)
    assert np.allclose(error, 1)
    assert np.allclose(confidence, (14 * 0.9 + 0.1) / 15)
    x, y = store.labels([1]).points[0, 0]
    store.place(1, 0, (x + 16, y))
    assert store.columns.of(RUN)[0][0] == pytest.approx(1 + 14 / 15)
    store.undo_stack.undo()
    assert store.columns.of(RUN)[0][0] == pytest.approx(1)


def test_discarded_predictions_go_and_accepted_points_stay(store: ProjectStore, qtbot: QtBot) -> None:
    predict(store, qtbot)
    accept_face(store, RUN, POOR)
    with qtbot.waitSignal(store.changed):
        store.columns.delete(RUN)
    assert prediction_runs(store.project.database) == []
    assert not store.predictions(RUN, [POOR]).present.any()
    assert store.labels([POOR]).mask.all()


def test_the_log_of_many_edits_is_folded_in(store: ProjectStore, qtbot: QtBot) -> None:
    database, log = store.path / "project.db", store.path / "project.db-wal"
    size = database.stat().st_mtime_ns
    for i in range(100):
        store.place(1 + i % 20, i % 15, (i % 90, i % 80 + 3))
    assert log.stat().st_size > 100_000
    assert database.stat().st_mtime_ns == size
    store.external.look()
    qtbot.waitUntil(lambda: database.stat().st_mtime_ns != size)


def test_a_journal_cut_short_cuts_the_stack(store: ProjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_BYTES", 1)
    for k in range(15):
        store.place(1, k, (k, 2 * k))
        store.place(2, k, (k, 2 * k))
    assert store.undo_stack.count() == journal.ALWAYS_KEPT
    while store.undo_stack.canUndo():
        store.undo_stack.undo()
    assert [s.undone for s in read_steps(store.project.database)] == [True] * journal.ALWAYS_KEPT
    assert store.labels([1]).points[0, 4].tolist() == [4, 8]


CHILD = """
import sys, time
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from fkp_studio.document.store import ProjectStore
from training.storage.project.project import Project
app = QCoreApplication([])
store = ProjectStore(Project.open(Path(sys.argv[1])))
store.place(3, 5, (11, 12))
store.place(3, 6, (13, 14))
store.undo_stack.undo()
print("done", flush=True)
time.sleep(60)
"""


def test_kill_9_right_after_an_edit_loses_nothing(project_path: Path, qtbot: QtBot) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(project_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "done\n"
    child.kill()
    child.communicate()
    store = ProjectStore(Project.open(project_path))
    assert store.labels([3]).points[0, 5].tolist() == [11, 12]
    assert store.labels([3]).states[0, 6] == PointState.UNSET
    assert (store.undo_stack.count(), store.undo_stack.index()) == (2, 1)
    store.undo_stack.redo()
    assert store.labels([3]).points[0, 6].tolist() == [13, 14]
    store.close()
