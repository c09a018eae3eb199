"""Changes of very many faces report progress, can be stopped, and make the window touch no long lists."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from fkp_studio.background.project_thread import STOPPED
from fkp_studio.document import store as store_module
from fkp_studio.document.changes import Changes
from fkp_studio.document.session import Session
from fkp_studio.document.store import ProjectStore
from fkp_studio.jobs.prediction.freshness import Freshness
from fkp_studio.views.gallery.arranger import MARKED
from fkp_studio.views.gallery.filters import Facts, Filter, Query
from fkp_studio.views.gallery.panel import GalleryPanel
from fkp_studio.window.bars.status_bar import StatusBar
from fkp_studio.window.closing import wait_for_writing
from training.storage.project.edits.shift import shift_labels
from training.storage.project.journal import read_steps
from training.storage.project.project import Project
from training.storage.project.tables import label_table
from training.storage.runs.model.prediction_stamp import model_stamp
from training.storage.runs.run import Run


@pytest.fixture
def store(session: Session, monkeypatch: pytest.MonkeyPatch) -> ProjectStore:
    """The small project, with blocks of 8 faces, and more than 4 counting as many."""
    monkeypatch.setattr(label_table, "BLOCK", 8)
    monkeypatch.setattr(store_module, "BULK", 4)
    assert session.store is not None
    return session.store


class Held:
    """Lets a large edit begin, and continue on request."""

    def __init__(self, store: ProjectStore) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def work(self, project: Project) -> object:
        self.begun.set()
        assert self.go_on.wait(30)
        return shift_labels(project, 1.0)


@pytest.fixture
def held(store: ProjectStore) -> Iterator[Held]:
    made = Held(store)
    yield made
    made.go_on.set()


def test_a_stopped_change_leaves_nothing_and_says_so(qtbot: QtBot, store: ProjectStore, held: Held) -> None:
    before, told = store.labels(store.ids()), list[float]()
    store.progress.connect(told.append)
    store.edit(held.work)
    assert store.busy and held.begun.wait(30)
    store.large.stop()
    with qtbot.waitSignal(store.failed) as failed:
        held.go_on.set()
    assert failed.args == [STOPPED]
    assert not store.busy and store.labels(store.ids()).same_as(before) and not read_steps(store.project.database)
    store.edit(held.work)  # and the next one is written
    qtbot.waitUntil(lambda: not store.busy)
    assert [step.samples for step in read_steps(store.project.database)] == [24]
    qtbot.waitUntil(lambda: told[-3:] == [0.0, 8 / 24, 16 / 24])


def test_the_status_bar_offers_to_stop(qtbot: QtBot, session: Session, store: ProjectStore, held: Held) -> None:
    bar = StatusBar(session)
    qtbot.addWidget(bar)
    bar._on_project_changed()
    bar.show()
    store.edit(held.work)
    qtbot.waitUntil(bar.stop_writing.isVisible)
    bar.stop_writing.click()
    assert bar.writing.text() == "stopping"
    held.go_on.set()
    qtbot.waitUntil(lambda: not store.busy)
    assert not bar.stop_writing.isVisible() and bar.currentMessage() == STOPPED


@pytest.mark.parametrize(("press", "closes"), [("Cancel", False), ("Stop", True), ("", True)])
def test_closing_asks_while_a_large_change_is_written(
    qtbot: QtBot, store: ProjectStore, held: Held, press: str, closes: bool
) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    assert wait_for_writing(store, parent)  # nothing is being written
    store.edit(held.work)

    def answer() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        if press:
            next(b for b in box.findChildren(QPushButton) if b.text().startswith(press)).click()
        else:
            held.go_on.set()  # it ends by itself

    QTimer.singleShot(0, answer)
    assert wait_for_writing(store, parent) == closes
    held.go_on.set()
    qtbot.waitUntil(lambda: not store.busy)
    assert len(read_steps(store.project.database)) == (0 if press == "Stop" else 1)


def test_closing_does_not_wait_for_what_is_only_read(session: Session, store: ProjectStore) -> None:
    begun, seen = threading.Event(), list[int]()

    def read(project: Project) -> None:
        begun.set()
        for block in label_table.blocks(project.database, np.arange(1, 8 * 1000 + 1)):
            seen.append(len(block))
            threading.Event().wait(0.01)

    store._background.run(read, done=lambda _: None, failed=lambda _: None, reads=True)
    assert begun.wait(30)
    session.close_project()
    assert len(seen) < 1000


def test_many_changed_faces_are_not_gone_through_one_by_one(
    qtbot: QtBot, session: Session, store: ProjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million ids would take the interface thread 0.1 s; the gallery marks its order as outdated instead."""
    panel = GalleryPanel(session)
    qtbot.addWidget(panel)
    arranger = panel.arranger
    qtbot.waitUntil(lambda: arranger.lacking is not None)
    with qtbot.waitSignal(arranger.arranged):
        panel.show_query(Query(Filter.MISSING))
    looked_at, forgotten = list[int](), list[object]()

    def spy(facts: Facts, rows: np.ndarray) -> Facts:
        looked_at.append(len(rows))
        return facts

    monkeypatch.setattr(Facts, "rows", spy)
    monkeypatch.setattr(panel.thumbnails, "forget", forgotten.append)
    store.changed.emit(Changes(np.arange(1, MARKED + 2), labels=True))
    assert arranger.outdated and not arranger.left and not looked_at
    assert forgotten == [None]
    panel.close_project()


def test_very_many_changes_are_not_looked_up() -> None:
    few, many = Changes(np.array([3, 9])), Changes(np.arange(1, 1000))
    assert few.may_touch([1, 9]) and not few.may_touch([1, 2])
    assert many.may_touch([5000])


def test_what_was_predicted_is_kept_in_a_table(project_path: Path, tmp_path: Path) -> None:
    """Even among a million faces a shown one is looked up, not searched for."""
    fresh, run = Freshness(), Run(tmp_path / "0001-cnn")
    run.path.mkdir()
    run.model.write_bytes(b"a model")

    def needed(*ids: int) -> list[int]:
        return fresh.needed(project_path, run, np.array(ids, np.int64) if ids else None).tolist()

    assert needed(5) == [5]
    fresh.note(run, np.array([5, 2]), model=model_stamp(run))
    fresh.note(run, np.array([20]), model=model_stamp(run))
    assert needed(5) == [] and needed(24) == [24] and needed(2, 3, 20) == [3]
    assert needed() == [i for i in range(1, 25) if i not in (2, 5, 20)]
    fresh.forget(np.array([2, 24]))
    assert needed(2, 5, 24) == [2, 24]
    fresh.note(run, np.array([5]), model="one that was replaced meanwhile")
    assert needed(5, 20) == [5]
    fresh.close()


def test_a_cancelled_read_is_no_fault(project_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from fkp_studio.dialogs.review.offset_facts import read_checks
    from training.progress import Cancelled

    with pytest.raises(Cancelled):
        read_checks(project_path, "", cancelled=lambda: True)
    assert not caplog.records
