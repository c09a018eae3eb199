"""The points table: its contents, typing into it, and keeping in step with the canvas."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from fkp_studio.document.members import accept_face
from fkp_studio.document.session import Session
from fkp_studio.views.points.model import Column, MarkRole, short_title
from fkp_studio.views.points.table import PointsPanel
from tests.helpers.canvas import RUN, point, predict, state, store_of
from training.faces.labels.labels import Origin, PointState


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> Iterator[PointsPanel]:
    made = PointsPanel(session)
    qtbot.addWidget(made)
    made.resize(340, 480)
    with qtbot.waitExposed(made):
        made.show()
    session.set_sample(3)
    yield made
    session.close_project()


def text(panel: PointsPanel, row: int, column: Column) -> str:
    return str(panel.model.index(row, column).data())


def long_text(panel: PointsPanel, row: int, column: Column) -> str:
    return str(panel.model.index(row, column).data(Qt.ItemDataRole.ToolTipRole))


def type_into(qtbot: QtBot, panel: PointsPanel, row: int, column: Column, typed: str) -> None:
    """Open the cell, type, press Enter, as a user does."""
    index = panel.model.index(row, column)
    panel.table.setCurrentIndex(index)
    panel.table.edit(index)
    editor = panel.table.findChild(QLineEdit)
    assert editor is not None
    editor.selectAll()
    qtbot.keyClicks(editor, typed)
    with qtbot.waitSignal(editor.destroyed):  # Qt delivers the text shortly after the key
        qtbot.keyClick(editor, Qt.Key.Key_Return)


def test_a_row_says_where_a_point_is_and_who_made_it(qtbot: QtBot, panel: PointsPanel, session: Session) -> None:
    predict(qtbot, session)
    x, y = point(session, 3, 10)
    assert text(panel, 10, Column.NAME) == "nose tip"
    assert (text(panel, 10, Column.X), text(panel, 10, Column.Y)) == (f"{x:.1f}", f"{y:.1f}")
    assert float(text(panel, 10, Column.ERROR)) > 0
    assert text(panel, 10, Column.CONFIDENCE) == "76%"
    assert text(panel, 10, Column.MAKER) == "file"
    assert long_text(panel, 10, Column.MAKER) == "imported from a file"
    assert text(panel, 2, Column.X) == ""
    assert text(panel, 2, Column.MAKER) == "unset"


def test_each_kind_of_point_has_its_symbol_and_its_words(qtbot: QtBot, panel: PointsPanel, session: Session) -> None:
    store = store_of(session)
    store.set_state(3, 2, PointState.ABSENT)
    store.set_state(3, 10, PointState.OCCLUDED)
    assert [panel.model.index(k, 0).data(MarkRole) for k in (0, 2, 3, 10)] == ["label", "absent", "unset", "occluded"]
    predict(qtbot, session)
    accept_face(store, RUN, 3, keypoints=[3])
    assert [panel.model.index(k, 0).data(MarkRole) for k in (3, 4)] == ["accepted", "predicted"]
    assert long_text(panel, 3, Column.NAME) == "left eye outer corner: visible, accepted from run 1, confidence 51%"
    assert long_text(panel, 3, Column.MAKER) == "accepted from run 1, confidence 51%"


def test_typing_a_coordinate_is_one_undo_step(qtbot: QtBot, panel: PointsPanel, session: Session) -> None:
    x, y = point(session, 3, 10)
    type_into(qtbot, panel, 10, Column.X, "45.25")
    assert point(session, 3, 10) == [45.25, y]
    assert store_of(session).labels([3]).origins[0, 10] == Origin.PERSON
    store_of(session).undo_stack.undo()
    assert point(session, 3, 10) == [x, y]
    assert not store_of(session).undo_stack.canUndo()


@pytest.mark.parametrize("typed", ["nose", "96.2", "-3", "nan", ""])
def test_what_cannot_be_is_refused_with_a_sentence(
    qtbot: QtBot, panel: PointsPanel, session: Session, typed: str
) -> None:
    before = point(session, 3, 10)
    type_into(qtbot, panel, 10, Column.X, typed or " ")
    assert point(session, 3, 10) == before
    assert panel.refusal.isVisible()
    assert "Type pixels from 0 to 95" in panel.refusal.text()
    session.set_sample(4)
    assert not panel.refusal.isVisible()


def test_leaving_a_cell_untouched_changes_nothing(qtbot: QtBot, panel: PointsPanel, session: Session) -> None:
    before = store_of(session).labels([3])
    index = panel.model.index(10, Column.X)
    panel.table.edit(index)
    editor = panel.table.findChild(QLineEdit)
    assert editor is not None
    with qtbot.waitSignal(editor.destroyed):
        qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert store_of(session).labels([3]).same_as(before)


def test_a_missing_point_can_be_typed_in(qtbot: QtBot, panel: PointsPanel, session: Session) -> None:
    type_into(qtbot, panel, 2, Column.X, "50")
    type_into(qtbot, panel, 2, Column.Y, "31,5")
    assert point(session, 3, 2) == [50, 31.5]
    assert state(session, 3, 2) == PointState.VISIBLE


def test_a_click_chooses_the_keypoint_and_the_canvas_chooses_the_row(
    qtbot: QtBot, panel: PointsPanel, session: Session
) -> None:
    where = panel.table.visualRect(panel.model.index(6, Column.NAME)).center()
    qtbot.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert session.keypoint == 6
    session.set_keypoint(14)
    assert [i.row() for i in panel.table.selectionModel().selectedRows()] == [14]
    session.set_keypoint(-1)
    assert not panel.table.selectionModel().hasSelection()


def test_accept_missing_fills_this_face(qtbot: QtBot, panel: PointsPanel, session: Session) -> None:
    assert not panel.accept_button.isVisible(), "without a run there is nothing to accept"
    predict(qtbot, session)
    assert panel.accept_button.text() == "Accept missing (11)"
    qtbot.mouseClick(panel.accept_button, Qt.MouseButton.LeftButton)
    assert panel.accept_button.text() == "Accept missing (0)"
    assert not panel.accept_button.isEnabled()
    assert text(panel, 2, Column.MAKER) == "run 1"
    store_of(session).undo_stack.undo()
    assert panel.accept_button.text() == "Accept missing (11)"


def test_it_follows_faces_edits_and_the_end_of_the_project(panel: PointsPanel, session: Session) -> None:
    store_of(session).place(3, 2, (12.3, 45.6))
    assert text(panel, 2, Column.X) == "12.3"
    session.set_sample(1)
    assert text(panel, 2, Column.MAKER) == "file"
    session.close_project()
    assert panel.model.rowCount() == 0
    assert panel.sentence.isVisible()
    assert not panel.table.isVisible()


def test_in_a_narrow_dock_names_stay_readable(qtbot: QtBot, panel: PointsPanel, session: Session) -> None:
    def hidden() -> list[bool]:
        return [panel.table.isColumnHidden(c) for c in (Column.X, Column.ERROR, Column.CONFIDENCE, Column.MAKER)]

    panel.resize(480, 480)
    assert hidden() == [False, True, True, False], "without a run there is nothing to compare with"
    predict(qtbot, session)
    assert not any(hidden())
    wide = panel.table.columnWidth(Column.NAME)
    panel.resize(200, 480)
    assert hidden() == [False, False, True, True]
    assert panel.table.columnWidth(Column.NAME) < wide
    assert "imported from a file" in long_text(panel, 0, Column.NAME), "what gave way is still shown"


def test_names_are_short_and_whole_for_a_screen_reader(panel: PointsPanel) -> None:
    assert short_title("left eyebrow inner end") == "L brow inner end"
    assert text(panel, 6, Column.NAME) == "L brow inner end"
    assert long_text(panel, 6, Column.NAME).startswith("left eyebrow inner end: ")
    assert panel.table.accessibleName() == "Points of the face"
