"""A project that is moved, deleted or replaced while it is open: noticed, told, never written elsewhere, and saved."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from fkp_studio.document.settings import Settings
from fkp_studio.document.store import BULK
from fkp_studio.window.lost_project import free_path
from fkp_studio.window.main_window import MainWindow
from tests.conftest import make_project
from training.assist.filling.accept import accept
from training.errors import UserError
from training.storage.project.project import Project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be moved or deleted on Windows")


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> MainWindow:
    made = MainWindow(Settings())
    qtbot.addWidget(made, before_close_func=lambda window: window.session.close_project())  # nothing is asked
    made.show()
    assert made.opener.open(make_project(tmp_path / "mine.fkp", count=BULK + 4))
    return made


def delete(path: Path) -> None:
    shutil.rmtree(path)


def replace(path: Path) -> None:
    other = make_project(path.with_name("other.fkp"), count=BULK + 4)
    shutil.rmtree(path)
    other.rename(path)


def rename(path: Path) -> None:
    path.rename(path.with_name("renamed.fkp"))


def noticed(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(window.lost_banner.isVisible)


def press(name: str) -> Callable[[], None]:
    """Press this button of the question as soon as it appears."""

    def act() -> None:
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox):
            next(b for b in box.buttons() if b.text().replace("&", "").startswith(name)).click()
        else:
            QTimer.singleShot(10, act)

    return act


@pytest.mark.parametrize(
    ("happens", "words"),
    [(delete, "mine.fkp was deleted"), (replace, "mine.fkp was replaced by another"), (rename, "mine.fkp was moved")],
)
def test_it_is_noticed_and_told(window: MainWindow, qtbot: QtBot, happens, words: str) -> None:
    assert not window.lost_banner.isVisible()
    happens(window.session.store.path)
    noticed(window, qtbot)
    assert window.lost_banner.head.text().startswith(words)
    assert QApplication.activeModalWidget() is None  # no dialog in the way


@pytest.mark.parametrize("happens", [delete, replace])
def test_an_edit_is_kept_in_the_window_and_not_called_saved(window: MainWindow, qtbot: QtBot, happens) -> None:
    store = window.session.store
    happens(store.path)
    store.place(1, 0, (5.0, 6.0))  # before anybody looked
    assert "not on the disk" in window.status.saved.text() and "undo: " in window.status.saved.text()
    assert store.labels([1]).points[0, 0].tolist() == [5.0, 6.0]
    noticed(window, qtbot)
    store.undo_stack.undo()
    assert "not on the disk" in window.status.saved.text()


def test_a_large_edit_never_goes_into_another_project(window: MainWindow, qtbot: QtBot) -> None:
    store, said = window.session.store, []
    points = np.full((len(store), 15, 2), 40.0, np.float32)
    with qtbot.waitSignal(store.changed):
        store.columns.write("0001-x", store.ids(), points, np.ones((len(store), 15), np.float32))
    replace(store.path)
    store.failed.connect(said.append)
    before = (store.path / "project.db").read_bytes()
    store.edit(lambda project: accept(project, "0001-x"))
    qtbot.waitUntil(lambda: bool(said))
    assert "moved, deleted or replaced" in said[0]
    store.columns.write("0001-x", store.ids(), points, np.ones((len(store), 15), np.float32))
    qtbot.waitUntil(lambda: len(said) > 1)
    assert (store.path / "project.db").read_bytes() == before
    assert not (store.path / "project.db-wal").exists()


def test_nothing_of_another_project_is_shown(window: MainWindow, qtbot: QtBot) -> None:
    store = window.session.store
    replace(store.path)
    with pytest.raises(UserError, match="moved, deleted or replaced"):
        Project.open(store.project.address, read_only=True)
    noticed(window, qtbot)
    assert window.jobs.book.folder is None  # its runs, queue and predictions rest
    refused: list[str] = []
    window.jobs.refused.connect(refused.append)
    from training.storage.runs.settings.recipes import recipe_config

    window.jobs.train([recipe_config("cnn-6")])
    qtbot.waitUntil(lambda: bool(refused))
    assert list((store.path / "runs").iterdir()) == []


def test_a_moved_project_goes_on_in_its_new_place(window: MainWindow, qtbot: QtBot) -> None:
    path = window.session.store.path
    window.session.set_sample(3)
    window.session.set_keypoint(4)
    rename(path)
    noticed(window, qtbot)
    window.session.store.place(3, 4, (7.0, 8.0))
    assert window.status.saved.text().startswith("saved ")  # it is on the disk, there
    assert "renamed.fkp" in window.lost_banner.advice.text()
    window.lost_banner.go_on_button.click()
    assert window.session.store.path == path.with_name("renamed.fkp")
    assert (window.session.sample_id, window.session.keypoint) == (3, 4)
    assert window.session.store.labels([3]).points[0, 4].tolist() == [7.0, 8.0]
    assert not window.lost_banner.isVisible() and window.jobs.book.folder is not None


def test_what_comes_back_is_as_before(window: MainWindow, qtbot: QtBot) -> None:
    path = window.session.store.path
    rename(path)
    noticed(window, qtbot)
    path.with_name("renamed.fkp").rename(path)
    qtbot.waitUntil(lambda: not window.lost_banner.isVisible())
    assert window.jobs.book.folder == path / "runs"


@pytest.mark.parametrize("happens", [delete, replace])
def test_a_copy_has_everything_and_the_window_goes_on_in_it(window: MainWindow, qtbot: QtBot, happens) -> None:
    store = window.session.store
    qtbot.waitUntil(lambda: bool(store.whereabouts.pixels))
    image, path = store.project.image(1).copy(), store.path
    happens(path)
    noticed(window, qtbot)
    store.place(1, 0, (5.0, 6.0))
    window.lost.copy_to(path.with_name("copy.fkp"))
    qtbot.waitUntil(lambda: window.session.store is not store)
    copy = window.session.store
    assert copy.path == path.with_name("copy.fkp") and len(copy) == BULK + 4
    assert copy.labels([1]).points[0, 0].tolist() == [5.0, 6.0]
    assert np.array_equal(copy.project.image(1), image)
    assert not window.lost_banner.isVisible()
    copy.undo_stack.undo()  # the journal came along
    assert copy.labels([1]).points[0, 0].tolist() != [5.0, 6.0]


@pytest.mark.parametrize(("button", "closed"), [("Cancel", False), ("Close without saving", True), ("Save", False)])
def test_closing_asks_before_the_last_copy_is_gone(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, button: str, closed: bool
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(
        "fkp_studio.window.lost_project.QFileDialog.getSaveFileName", lambda *_: asked.append(True) or ("", "")
    )
    delete(window.session.store.path)
    QTimer.singleShot(0, press(button))
    window.opener.close_project()
    assert (window.session.store is None) is closed
    assert bool(asked) is (button == "Save")


def test_a_disk_that_does_not_answer_is_a_sentence(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, stat = window.session.store.path / "project.db", Path.stat

    def fails(self: Path, **more: bool) -> object:
        if self == ours:
            raise OSError(5, "Input/output error")
        return stat(self, **more)

    monkeypatch.setattr(Path, "stat", fails)
    noticed(window, qtbot)
    assert window.lost_banner.head.text() == "The disk of mine.fkp does not answer."
    assert "Input/output error" in window.lost_banner.advice.text()
    assert not window.lost_banner.copy_button.isVisible()
    monkeypatch.undo()
    qtbot.waitUntil(lambda: not window.lost_banner.isVisible())


def test_the_name_of_a_copy_is_free(tmp_path: Path) -> None:
    assert free_path(tmp_path / "p.fkp") == tmp_path / "p.fkp"
    (tmp_path / "p.fkp").mkdir()
    (tmp_path / "p copy.fkp").mkdir()
    assert free_path(tmp_path / "p.fkp") == tmp_path / "p copy 2.fkp"
