"""The gallery as a user meets it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.look.style.colour_scale import cividis, text_on
from fkp_studio.views.gallery.filters import Filter, Query, Sort
from fkp_studio.views.gallery.menu import face_menu
from fkp_studio.views.gallery.panel import GalleryPanel
from training.faces.labels.labels import PointState

RUN = "0001-ml-resnet"


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> Iterator[GalleryPanel]:
    """The gallery of the small project, its facts read."""
    made = GalleryPanel(session)
    qtbot.addWidget(made)
    made.resize(300, 600)
    with qtbot.waitExposed(made):
        made.show()
    qtbot.waitUntil(lambda: made.arranger.lacking is not None)
    yield made
    made.close_project()


def ask(qtbot: QtBot, panel: GalleryPanel, query: Query) -> list[int]:
    """Choose a filter and a sort; returns the shown faces."""
    with qtbot.waitSignal(panel._session.order_changed):
        panel.show_query(query)
    return panel._session.order.tolist()


def choose(qtbot: QtBot, panel: GalleryPanel, text: str) -> list[int]:
    """Pick an entry of the filter's combo box, as with the mouse."""
    combo = panel.bar.filter
    combo.setCurrentIndex(combo.findText(text))
    with qtbot.waitSignal(panel._session.order_changed):
        combo.activated.emit(combo.currentIndex())
    return panel._session.order.tolist()


def predict(session: Session) -> None:
    """Predictions for the first twelve faces: face n is off by n px, with confidence falling with n."""
    assert session.store is not None
    ids = np.arange(1, 13)
    points = session.store.labels(ids).points.copy()
    points[np.isnan(points)] = 40
    points[..., 0] += ids[:, None]
    session.store.project.write_predictions(RUN, ids, points, np.repeat(1 - ids[:, None] / 20, 15, axis=1))


def test_it_shows_all_faces_and_draws_only_those_in_sight(qtbot: QtBot, panel: GalleryPanel) -> None:
    assert panel.bar.count.text() == "24 faces"
    assert panel.progress.percent.text() == "75%"
    assert panel.progress.sentence.text().startswith("8 faces still lack the ")
    qtbot.waitUntil(lambda: panel.thumbnails.get(1) is not None)


def test_the_filter_combo_narrows_the_grid(qtbot: QtBot, panel: GalleryPanel) -> None:
    assert choose(qtbot, panel, "missing labels") == list(range(3, 25, 3))
    assert panel.bar.count.text() == "8 of 24"
    assert panel.bar.keypoint.isVisible()
    assert choose(qtbot, panel, "split: val") == list(range(4, 25, 4))
    assert not panel.bar.keypoint.isVisible()
    assert choose(qtbot, panel, "all faces") == list(range(1, 25))


def test_the_sentence_shows_its_faces(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    with qtbot.waitSignal(session.order_changed):
        panel.progress.show_button.click()
    assert session.order.tolist() == list(range(3, 25, 3))
    assert panel.bar.keypoint.currentText().startswith("missing: ")


def test_an_empty_filter_says_so_and_leads_back(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    assert ask(qtbot, panel, Query(Filter.FLAGGED)) == []
    assert panel.notice.isVisible()
    assert panel.notice.title.text() == "No face matches this filter."
    with qtbot.waitSignal(session.order_changed):
        panel.notice.button.click()
    assert panel.view.isVisible()
    assert len(session.order) == 24


def test_without_a_project_it_offers_to_open_one(qtbot: QtBot, empty_session: Session) -> None:
    panel = GalleryPanel(empty_session)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.notice.title.text() == "No project is open."
    with qtbot.waitSignal(panel.open_wanted):
        panel.notice.button.click()


def test_click_and_keys_choose_the_face(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    view = panel.view
    cell = view.visualRect(view.grid.index_of(4)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=cell)
    assert session.sample_id == 5
    columns = view.grid.columns
    assert columns > 1
    for key, face in (
        (Qt.Key.Key_Right, 6), (Qt.Key.Key_Down, 6 + columns), (Qt.Key.Key_Home, 1), (Qt.Key.Key_Left, 1),
        (Qt.Key.Key_End, 24), (Qt.Key.Key_Down, 24), (Qt.Key.Key_Up, 24 - columns),
    ):  # fmt: skip
        qtbot.keyClick(view, key)
        assert session.sample_id == face
    session.set_sample(columns)
    qtbot.keyClick(view, Qt.Key.Key_Right)  # past the end of the row
    assert session.sample_id == columns + 1


def test_return_opens_the_face(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    session.set_sample(3)
    with qtbot.waitSignal(panel.opened) as opened:
        qtbot.keyClick(panel.view, Qt.Key.Key_Return)
    assert opened.args == [3]


def test_the_grid_follows_the_session(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    session.set_sample(23)
    assert panel.view.grid.sample_id(panel.view.currentIndex()) == 23
    assert panel.view.viewport().rect().contains(panel.view.visualRect(panel.view.currentIndex()))
    ask(qtbot, panel, Query(Filter.MISSING))
    assert not panel.view.currentIndex().isValid()  # 23 has all its labels
    assert session.sample_id == 23


def test_columns_follow_the_width_and_the_size(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    session.set_sample(20)
    before = panel.view.grid.columns
    panel.resize(600, 600)
    qtbot.waitUntil(lambda: panel.view.grid.columns > before)
    assert panel.view.grid.sample_id(panel.view.currentIndex()) == 20
    wide = panel.view.grid.columns
    panel.set_thumbnail_size("L")
    assert panel.view.grid.columns < wide
    qtbot.waitUntil(lambda: panel.thumbnails.get(20) is not None)
    pixmap = panel.thumbnails.get(20)
    assert pixmap is not None
    assert pixmap.width() == round(128 * panel.devicePixelRatioF())


def test_a_completed_face_stays_until_refreshed(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    assert session.store is not None
    assert ask(qtbot, panel, Query(Filter.MISSING)) == list(range(3, 25, 3))
    for keypoint in np.flatnonzero(session.store.labels([6]).missing[0]):
        session.store.set_state(6, int(keypoint), PointState.ABSENT)
    assert session.order.tolist() == list(range(3, 25, 3))
    assert panel.bar.refresh.isVisible()
    assert panel.bar.refresh.text().startswith("1 done")
    qtbot.waitUntil(lambda: panel.progress.sentence.text().startswith("7 faces"))
    session.store.undo_stack.undo()
    assert not panel.bar.refresh.isVisible()
    session.store.undo_stack.redo()
    with qtbot.waitSignal(session.order_changed):
        panel.bar.refresh.click()
    assert session.order.tolist() == [3, 9, 12, 15, 18, 21, 24]
    assert not panel.bar.refresh.isVisible()


def test_a_label_shows_in_the_thumbnail(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    assert session.store is not None
    qtbot.waitUntil(lambda: panel.thumbnails.get(1) is not None)
    old = panel.thumbnails.get(1)
    assert old is not None
    before = old.toImage()
    session.store.place(1, 10, (5.0, 5.0))

    def changed() -> bool:
        now = panel.thumbnails.get(1)
        return now is not None and now.toImage() != before

    qtbot.waitUntil(changed)


def test_errors_and_confidences_are_a_runs(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    predict(session)
    assert ask(qtbot, panel, Query(Filter.WORST, Sort.ERROR)) == []
    assert panel.notice.title.text() == "No run is chosen."
    with qtbot.waitSignal(session.order_changed):
        session.set_run(RUN)
    assert session.order.tolist() == list(range(12, 0, -1))
    assert ask(qtbot, panel, Query(Filter.PREDICTED)) == list(range(1, 13))
    assert ask(qtbot, panel, Query(sort=Sort.CONFIDENCE))[:12] == list(range(12, 0, -1))
    told = panel._delegate.confidences  # on the thumbnails
    assert told is not None and told[11] < told[0] and np.isnan(told[12])
    ask(qtbot, panel, Query())
    assert panel._delegate.confidences is None


def test_the_scale_of_doubt_is_cividis_and_its_text_can_be_read() -> None:
    """The ends are those of matplotlib; white or black has a contrast of at least 4.5:1 everywhere."""
    assert (cividis(0).name(), cividis(1).name()) == ("#00204d", "#ffea46")

    def light(colour: QColor) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for value in np.linspace(0, 1, 41).tolist():
        low, high = sorted((light(cividis(value)), light(text_on(value))))
        assert (high + 0.05) / (low + 0.05) > 4.5


def test_the_worst_come_sorted_by_error(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    predict(session)
    session.set_run(RUN)
    assert choose(qtbot, panel, "worst error") == list(range(12, 0, -1))
    assert panel.bar.sort.currentText() == "worst error"
    choose(qtbot, panel, "all faces")
    assert panel.bar.sort.currentText() == "as imported"


def test_given_faces_are_shown_under_their_title(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    with qtbot.waitSignal(session.order_changed):
        panel.show_ids(np.array([9, 4]), "error above 5 %")
    assert session.order.tolist() == [4, 9]
    assert panel.bar.filter.currentText() == "error above 5 %"
    choose(qtbot, panel, "all faces")
    assert panel.bar.filter.findText("error above 5 %") < 0


def test_the_menu_copies_the_name(session: Session, panel: GalleryPanel) -> None:
    assert session.store is not None
    opened: list[int] = []
    menu = face_menu(session.store, 2, open_face=opened.append, parent=panel)
    actions = {action.text(): action for action in menu.actions()}
    actions["Open"].trigger()
    actions["Copy name"].trigger()
    assert opened == [2]
    assert QGuiApplication.clipboard().text() == "face-001"
    assert "Show file in folder" not in actions  # its image lies inside the project


def test_closing_the_project_empties_the_gallery(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    qtbot.waitUntil(lambda: panel.thumbnails.get(1) is not None)
    session.close_project()
    assert panel.notice.title.text() == "No project is open."
    assert len(panel.thumbnails) == 0
    assert panel.view.grid.rowCount() == 0


def cell(panel: GalleryPanel, place: int) -> QPoint:
    return panel.view.visualRect(panel.view.grid.index_of(place)).center()


def test_shift_and_ctrl_select_faces_as_they_follow_each_other(qtbot: QtBot, panel: GalleryPanel) -> None:
    viewport, columns = panel.view.viewport(), panel.view.grid.columns
    assert columns > 1
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=cell(panel, 1))
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier, cell(panel, 2 * columns))
    assert panel.view.selected_ids().tolist() == list(range(2, 2 * columns + 2))
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, cell(panel, 3))
    assert 4 not in panel.view.selected_ids()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=cell(panel, 4))
    qtbot.keyClick(panel.view, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(panel.view, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert panel.view.selected_ids().tolist() == [3, 4, 5]


def test_selected_faces_move_to_another_split_in_one_step(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    store = session.store
    assert store is not None
    menu = face_menu(store, 3, open_face=print, parent=panel, selected=np.array([1, 2, 3]))
    move = next(action.menu() for action in menu.actions() if action.menu() is not None)
    assert isinstance(move, QMenu)
    assert move.title() == "Move 3 faces to"
    train, val, test = move.actions()
    assert train.isChecked()
    assert not val.isChecked()
    test.trigger()
    assert store.index().splits[:4].tolist() == [2, 2, 2, 1]
    assert store.undo_stack.undoText() == "move 3 faces to test"
    assert ask(qtbot, panel, Query(Filter.TEST)) == [1, 2, 3]
    store.undo_stack.undo()
    assert store.index().splits[:4].tolist() == [0, 0, 0, 1]
    assert panel.bar.refresh.isVisible()
    store.undo_stack.redo()
    assert store.index().splits[:3].tolist() == [2, 2, 2]


def test_the_menu_of_a_face_that_is_not_selected_moves_that_one(session: Session, panel: GalleryPanel) -> None:
    assert session.store is not None
    menu = face_menu(session.store, 4, open_face=print, parent=panel, selected=np.array([1, 2]))
    assert "Move 1 face to" in [action.text() for action in menu.actions()]


def test_some_faces_in_their_own_order_and_back(qtbot: QtBot, panel: GalleryPanel, session: Session) -> None:
    before = ask(qtbot, panel, Query(Filter.VAL, Sort.NAME))
    with qtbot.waitSignal(session.order_changed):
        panel.show_ids(np.array([7, 2, 5]), "worst: nose tip", in_order=True)
    assert session.order.tolist() == [7, 2, 5]
    assert panel.bar.filter.currentText() == "worst: nose tip"
    with qtbot.waitSignal(session.order_changed):
        panel.show_ids(np.array([9, 8]), "pose")
    assert session.order.tolist() == [8, 9]
    assert panel.bar.back.isVisible()
    with qtbot.waitSignal(session.order_changed):
        panel.bar.back.click()
    assert session.order.tolist() == before
    assert panel.bar.filter.currentText() == "split: val"
    assert not panel.bar.back.isVisible()
