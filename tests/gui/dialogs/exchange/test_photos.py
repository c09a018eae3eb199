"""From a folder of photos to predictions: the import's choices, the starter in the list of runs, a drawn box."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.exchange.import_dialog import ImportDialog
from fkp_studio.document.members import accept_face
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.views.canvas.box_page import BoxPage
from fkp_studio.views.canvas.panel import CanvasPanel
from fkp_studio.views.gallery.filters import Filter
from fkp_studio.views.gallery.menu import face_menu
from fkp_studio.views.gallery.panel import GalleryPanel
from fkp_studio.views.runs.model import Row, RowRole
from fkp_studio.views.runs.panel import RunsPanel
from tests.helpers.photos import jpeg, photo, write_starter
from tests.helpers.windows import in_window
from training.faces.labels.labels import Origin
from training.faces.labels.schema import IBUG_68
from training.sources.exchange.import_source import import_source
from training.storage.project.edits.unset_accepted import unset_accepted
from training.storage.project.tables.predictions import predicted_ids
from training.storage.runs.run import starters_folder

STARTER = "starter-15"


@pytest.fixture
def starter(home: Path) -> Path:
    return write_starter(starters_folder())


@pytest.fixture
def jobs(starter: Path, session: Session, tmp_path: Path) -> Iterator[Jobs]:
    """Jobs on a project without runs, with a fake worker."""
    (tmp_path / "asked").touch()
    made = Jobs(
        session, serve_command=(sys.executable, "-m", "tests.helpers.fakes.serve", "good", str(tmp_path / "asked"))
    )
    yield made
    made.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos, of two faces and of one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    jpeg(folder / "a.jpg", photo([0, 2])[0])
    jpeg(folder / "b.jpg", photo([9])[0], orientation=6)
    return folder


def test_a_project_without_runs_shows_its_starter(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    panel = RunsPanel(session, jobs)
    in_window(qtbot, panel)
    qtbot.waitUntil(lambda: session.run == STARTER)
    qtbot.waitUntil(lambda: len(predicted_ids(session.store.project.database, STARTER)) == 24)
    row: Row = panel.model.index(0).data(RowRole)
    assert (row.title, row.line, row.curves, row.stale) == (STARTER, "came with the program", False, False)
    assert panel.list.currentIndex().row() == 0
    later = RunsPanel(session, jobs)  # as in a window that is built after the run was chosen
    in_window(qtbot, later)
    assert later.list.currentIndex().row() == 0
    enabled = {act.text(): act.isEnabled() for act in panel.menu(STARTER).actions()}
    assert enabled["Predict all faces"] and not enabled["Discard…"] and not enabled["Show log"]
    assert not panel.model.setData(panel.model.index(0), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    jobs.discard(STARTER)
    assert jobs.book.names() == [STARTER]


def test_what_is_accepted_from_a_starter_says_so(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: len(predicted_ids(session.store.project.database, STARTER)) == 24)
    assert accept_face(session.store, STARTER, 3) == 11
    labels = session.store.labels([3])
    assert set(labels.runs[labels.origins == Origin.MODEL].tolist()) == {-15}
    assert session.store.edit(lambda project: unset_accepted(project, STARTER)) == 11


def test_the_import_finds_faces_and_offers_the_starters_points(
    qtbot: QtBot, empty_session: Session, starter: Path, photos: Path, tmp_path: Path
) -> None:
    write_starter(starters_folder(), IBUG_68)
    dialog = ImportDialog(empty_session, photos)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.open()
    page = dialog.preview
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is page)
    choice = page.photos
    assert choice.faces.currentData() == "detect" and len(page.faces.cards) == 3
    assert [choice.points.itemText(i) for i in range(choice.points.count())] == [
        "15 points (kaggle-15)",
        "68 points (ibug-68)",
    ]
    choice.points.setCurrentIndex(1)
    qtbot.waitUntil(lambda: "68 keypoints" in page.about.text())
    choice.faces.setCurrentIndex(choice.faces.findData("whole"))
    qtbot.waitUntil(lambda: len(page.faces.cards) == 2)
    choice.faces.setCurrentIndex(choice.faces.findData("detect"))
    qtbot.waitUntil(lambda: len(page.faces.cards) == 3 and page.go.isEnabled())
    page.path.setText(str(tmp_path / "made"))
    page.go.click()
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is dialog.report)
    assert "3 faces detected in 2 images." in dialog.report.notes.text()
    dialog.report.open.click()
    assert empty_session.store is not None and empty_session.store.schema == IBUG_68 and len(empty_session.store) == 3
    empty_session.close_project()


def test_a_box_is_drawn_in_the_photo(qtbot: QtBot, photos: Path, tmp_path: Path) -> None:
    import_source(photos, tmp_path / "p.fkp", faces="detect")
    session = Session()
    session.open_project(tmp_path / "p.fkp")
    panel = CanvasPanel(session)
    in_window(qtbot, panel, width=700, height=500)
    store, page = session.store, panel.box_page
    qtbot.waitUntil(lambda: panel.view.shown_face is not None)
    side = panel.view.shown_face.width
    panel.draw_box()
    assert page.isVisible()
    qtbot.waitUntil(lambda: page.photo.photo is not None)
    assert (page.photo.photo.width, page.photo.photo.height) == (380, 240)
    frame, scale = page.photo._place()

    def at(x: float, y: float) -> QPoint:
        return QPoint(round(frame.x() + x * scale), round(frame.y() + y * scale))

    QTest.mousePress(page.photo, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at(60, 80))
    QTest.mouseMove(page.photo, at(160, 180))
    drawn = page.photo.box()
    assert np.allclose(drawn, (60, 80, 100, 100), atol=1)
    QTest.mouseRelease(page.photo, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at(160, 180))
    assert not page.isVisible()
    x, y, new = store.project.faces([1]).crops[0].tolist()
    assert np.allclose((x, y, new), (45, 65, 130), atol=2)  # where the box is depends on the photo's size on the screen
    qtbot.waitUntil(lambda: panel.view.shown_face is not None and panel.view.shown_face.width == new)
    qtbot.waitUntil(lambda: panel.view.item.image is not None and panel.view.item.image.width == new)
    store.undo_stack.undo()
    qtbot.waitUntil(lambda: panel.view.item.image is not None and panel.view.item.image.width == side)
    panel.draw_box()
    qtbot.waitUntil(lambda: page.photo.photo is not None)
    QTest.keyClick(page.photo, Qt.Key.Key_Escape)
    assert not page.isVisible() and store.project.faces([1]).crops[0, 2] == side
    session.close_project()


def test_a_face_without_a_photo_has_no_box_to_draw(session: Session, qtbot: QtBot) -> None:
    panel = CanvasPanel(session)
    in_window(qtbot, panel, width=500, height=400)
    said: list[str] = []
    panel.hint.connect(said.append)
    panel.draw_box()
    qtbot.waitUntil(lambda: not panel.box_page.isVisible())
    assert "cannot be cropped again" in said[0]


def drag(page: BoxPage, low: tuple[float, float], high: tuple[float, float]) -> None:
    """Draw a box with the mouse, in px of the photo."""
    frame, scale = page.photo._place()
    start, end = (QPoint(round(frame.x() + x * scale), round(frame.y() + y * scale)) for x, y in (low, high))
    QTest.mousePress(page.photo, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    QTest.mouseMove(page.photo, end)
    QTest.mouseRelease(page.photo, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, end)


def test_a_missed_face_is_drawn_shown_and_predicted(
    qtbot: QtBot, starter: Path, empty_session: Session, photos: Path, tmp_path: Path
) -> None:
    import_source(photos, tmp_path / "p.fkp", faces="detect")
    (tmp_path / "asked").touch()
    session = empty_session
    serve = (sys.executable, "-m", "tests.helpers.fakes.serve", "good", str(tmp_path / "asked"))
    jobs = Jobs(session, serve_command=serve)
    gallery, panel = GalleryPanel(session), CanvasPanel(session)
    for widget in (gallery, panel):
        in_window(qtbot, widget, width=700, height=500)
    session.open_project(tmp_path / "p.fkp")
    store, page = session.store, panel.box_page
    qtbot.waitUntil(lambda: len(session.order) == 3 and session.run == STARTER)
    panel.add_face()
    qtbot.waitUntil(lambda: page.photo.photo is not None)
    assert page.photo.photo.crop is None and len(page.photo.photo.others) == 2
    drag(page, (10, 180), (60, 235))
    assert not page.isVisible() and session.sample_id == 4
    qtbot.waitUntil(lambda: session.order.tolist() == [1, 2, 3, 4])
    qtbot.waitUntil(lambda: np.isfinite(store.predictions(STARTER, [4]).points).all())
    qtbot.waitUntil(lambda: panel.view.shown_face is not None and panel.view.shown_face.sample_id == 4)
    store.undo_stack.undo()
    qtbot.waitUntil(lambda: session.order.tolist() == [1, 2, 3] and session.sample_id == 3)
    store.undo_stack.redo()
    qtbot.waitUntil(lambda: session.order.tolist() == [1, 2, 3, 4])
    jobs.close()
    session.close_project()
    gallery.close_project()


def test_a_removed_face_leaves_the_gallery_and_comes_back(session: Session, qtbot: QtBot) -> None:
    gallery = GalleryPanel(session)
    in_window(qtbot, gallery)
    qtbot.waitUntil(lambda: len(session.order) == 24)
    session.set_sample(7)

    def menu(sample: int) -> dict[str, QAction]:
        made = face_menu(session.store, sample, open_face=print, parent=gallery)
        return {act.text(): act for act in made.actions()}

    menu(7)["Remove 1 face"].trigger()
    qtbot.waitUntil(lambda: len(session.order) == 23)
    assert session.sample_id == 8 and gallery.bar.count.text() == "23 faces"
    gallery.show_filter(Filter.REMOVED)
    qtbot.waitUntil(lambda: session.order.tolist() == [7])
    menu(7)["Put 1 face back"].trigger()
    qtbot.waitUntil(lambda: not len(session.order))
    gallery.show_all()
    qtbot.waitUntil(lambda: len(session.order) == 24)
    assert [session.store.undo_stack.text(i) for i in range(2)] == ["remove 1 face", "put back 1 face"]
    gallery.close_project()


def test_the_open_project_is_offered_and_takes_another_folder(
    qtbot: QtBot, empty_session: Session, photos: Path, tmp_path: Path
) -> None:
    import_source(photos, tmp_path / "p.fkp", faces="detect")
    empty_session.open_project(tmp_path / "p.fkp")
    store = empty_session.store
    assert store is not None
    count = len(store)
    shutil.copytree(photos, tmp_path / "more" / "tuesday")
    dialog = ImportDialog(empty_session, tmp_path / "more" / "tuesday")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.open()
    page = dialog.preview
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is page)
    assert not page.add.isHidden() and "one photo" in page.splits.text()
    page.add.click()
    assert page.project_path() == store.path and page.add.isHidden() and "stay as they are" in page.note.text()
    page.go.click()
    qtbot.waitUntil(lambda: dialog.pages.currentWidget() is dialog.report)
    assert "the names of this source begin with tuesday/" in dialog.report.notes.text()
    dialog.report.open.click()
    qtbot.waitUntil(lambda: len(store) == 2 * count)
    empty_session.close_project()
