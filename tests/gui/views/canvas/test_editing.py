"""Editing on the canvas by real mouse and key events, checked by what the store holds afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.views.canvas.panel import CanvasPanel
from fkp_studio.views.canvas.view import CanvasView
from tests.helpers.canvas import (
    RUN,
    click,
    double_click,
    drag,
    move,
    on_screen,
    point,
    predict,
    press,
    release,
    shown,
    state,
    store_of,
)
from training.faces.labels.labels import Origin, PointState

INCOMPLETE = 3  # its first missing point is keypoint 2
Key = Qt.Key


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> Iterator[CanvasPanel]:
    made = CanvasPanel(session)
    qtbot.addWidget(made)
    made.resize(700, 640)
    with qtbot.waitExposed(made):
        made.show()
    session.set_sample(INCOMPLETE)
    shown(qtbot, made.view, INCOMPLETE)
    made.view.setFocus()
    yield made
    session.close_project()


@pytest.fixture
def view(panel: CanvasPanel) -> CanvasView:
    return panel.view


def test_clicks_place_the_missing_points_in_the_schemas_order(panel: CanvasPanel, session: Session) -> None:
    view = panel.view
    assert panel.walk_bar.title.text() == "next: left eye inner corner"
    click(view, on_screen(view, (60, 40)))
    assert point(session, INCOMPLETE, 2) == pytest.approx([60, 40], abs=0.1)
    assert panel.walk_bar.title.text() == "next: left eye outer corner"
    assert panel.walk_bar.progress.text() == "5 of 15"
    labels = store_of(session).labels([INCOMPLETE])
    assert labels.origins[0, 2] == Origin.PERSON


def test_after_the_last_missing_point_the_face_is_complete(qtbot: QtBot, panel: CanvasPanel, session: Session) -> None:
    hints: list[str] = []
    panel.hint.connect(hints.append)
    for n in range(11):
        click(panel.view, on_screen(panel.view, (6 + 8 * n, 3)))
    assert panel.walk_bar.title.text() == "This face is complete."
    assert "The face is complete." in hints
    before = store_of(session).labels([INCOMPLETE])
    click(panel.view, on_screen(panel.view, (90, 90)))
    assert store_of(session).labels([INCOMPLETE]).same_as(before), "a click on a complete face places nothing"


def test_a_drag_moves_a_point_by_as_much_as_the_mouse_and_is_one_undo_step(view: CanvasView, session: Session) -> None:
    x, y = point(session, INCOMPLETE, 10)
    start = on_screen(view, (x, y)) + QPointF(2, 1)  # grabbed beside its middle
    drag(view, start, start + QPointF(40, -20))
    scale = view.to_screen().scale
    assert point(session, INCOMPLETE, 10) == pytest.approx([x + 40 / scale, y - 20 / scale])
    assert session.keypoint == 10
    store_of(session).undo_stack.undo()
    assert point(session, INCOMPLETE, 10) == [x, y]
    store_of(session).undo_stack.redo()
    assert point(session, INCOMPLETE, 10) != [x, y]


def test_a_click_on_a_point_chooses_it_and_changes_nothing(view: CanvasView, session: Session) -> None:
    before = store_of(session).labels([INCOMPLETE])
    click(view, on_screen(view, point(session, INCOMPLETE, 14)))
    assert session.keypoint == 14
    assert store_of(session).labels([INCOMPLETE]).same_as(before)
    assert not store_of(session).undo_stack.canUndo()


def test_escape_cancels_a_drag(qtbot: QtBot, view: CanvasView, session: Session) -> None:
    before = point(session, INCOMPLETE, 10)
    start = on_screen(view, before)
    press(view, start)
    move(view, start + QPointF(30, 30))
    qtbot.keyClick(view, Key.Key_Escape)
    release(view, start + QPointF(30, 30))
    assert point(session, INCOMPLETE, 10) == before
    assert not store_of(session).undo_stack.canUndo()


def test_a_point_cannot_be_dragged_off_the_image(view: CanvasView, session: Session) -> None:
    start = on_screen(view, point(session, INCOMPLETE, 10))
    drag(view, start, on_screen(view, (-30, 200)))
    assert point(session, INCOMPLETE, 10) == [-0.5, 95.5]


def test_a_click_beside_the_image_places_nothing(view: CanvasView, session: Session) -> None:
    click(view, on_screen(view, (-2, 40)))
    assert state(session, INCOMPLETE, 2) == PointState.UNSET


def test_arrows_move_by_a_pixel_and_with_shift_by_a_tenth(qtbot: QtBot, view: CanvasView, session: Session) -> None:
    session.set_keypoint(10)
    x, y = point(session, INCOMPLETE, 10)
    qtbot.keyClick(view, Key.Key_Right)
    qtbot.keyClick(view, Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert point(session, INCOMPLETE, 10) == pytest.approx([x + 1, y + 0.1])
    while store_of(session).undo_stack.canUndo():
        store_of(session).undo_stack.undo()
    assert point(session, INCOMPLETE, 10) == [x, y]


def test_arrows_move_the_point_just_placed_while_the_walk_is_one_further(
    qtbot: QtBot, view: CanvasView, session: Session
) -> None:
    click(view, on_screen(view, (60, 40)))
    placed = point(session, INCOMPLETE, 2)
    assert session.keypoint == 3
    qtbot.keyClick(view, Key.Key_Left)
    assert point(session, INCOMPLETE, 2) == pytest.approx([placed[0] - 1, placed[1]])


def test_tab_walks_over_the_points_and_ctrl_tab_leaves(qtbot: QtBot, view: CanvasView, session: Session) -> None:
    assert session.keypoint == 2
    qtbot.keyClick(view, Key.Key_Tab)
    assert session.keypoint == 3
    qtbot.keyClick(view, Key.Key_Backtab, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(view, Key.Key_Backtab, Qt.KeyboardModifier.ShiftModifier)
    assert session.keypoint == 1
    qtbot.keyClick(view, Key.Key_Tab, Qt.KeyboardModifier.ControlModifier)
    assert not view.hasFocus()


def test_states_of_the_current_point(view: CanvasView, session: Session) -> None:
    session.set_keypoint(10)
    before = point(session, INCOMPLETE, 10)
    view.editor.set_state(PointState.OCCLUDED)
    assert state(session, INCOMPLETE, 10) == PointState.OCCLUDED
    assert point(session, INCOMPLETE, 10) == before
    view.editor.set_state(PointState.UNSET)
    assert np.isnan(point(session, INCOMPLETE, 10)).all()


def test_an_absent_point_is_skipped_by_the_walk(panel: CanvasPanel, session: Session) -> None:
    panel.view.editor.set_state(PointState.ABSENT)
    assert state(session, INCOMPLETE, 2) == PointState.ABSENT
    assert panel.walk_bar.title.text() == "next: left eye outer corner"


def test_a_missing_point_can_be_placed_as_occluded(panel: CanvasPanel, session: Session) -> None:
    panel.view.editor.set_state(PointState.OCCLUDED)
    assert panel.walk_bar.title.text() == "next: left eye inner corner (occluded)"
    click(panel.view, on_screen(panel.view, (60, 40)))
    assert state(session, INCOMPLETE, 2) == PointState.OCCLUDED
    click(panel.view, on_screen(panel.view, (70, 40)))
    assert state(session, INCOMPLETE, 3) == PointState.VISIBLE, "only the next one is placed so"


def test_a_look_at_another_point_does_not_lead_the_walk_astray(panel: CanvasPanel, session: Session) -> None:
    click(panel.view, on_screen(panel.view, point(session, INCOMPLETE, 14)))
    assert panel.walk_bar.title.text() == "next: left eye inner corner"


def test_double_click_on_a_ring_accepts_that_point(qtbot: QtBot, view: CanvasView, session: Session) -> None:
    predicted = predict(qtbot, session)[0]
    double_click(view, on_screen(view, predicted[7]))
    labels = store_of(session).labels([INCOMPLETE])
    assert (labels.origins[0, 7], labels.runs[0, 7]) == (Origin.MODEL, 1)
    assert point(session, INCOMPLETE, 7) == pytest.approx(predicted[7].tolist(), abs=1e-4)


def test_double_click_on_the_walks_own_ring_accepts_it_in_one_step(
    qtbot: QtBot, view: CanvasView, session: Session
) -> None:
    predicted = predict(qtbot, session)[0]
    session.set_keypoint(13)
    assert view.editor.target == 13
    double_click(view, on_screen(view, predicted[13]) + QPointF(2, 0))
    assert store_of(session).labels([INCOMPLETE]).origins[0, 13] == Origin.MODEL
    store_of(session).undo_stack.undo()
    assert state(session, INCOMPLETE, 13) == PointState.UNSET
    assert not store_of(session).undo_stack.canUndo()


def test_a_ring_dragged_elsewhere_becomes_a_persons_label(qtbot: QtBot, view: CanvasView, session: Session) -> None:
    predicted = predict(qtbot, session)[0]
    start = on_screen(view, predicted[8])
    drag(view, start, start + QPointF(0, -30))
    labels = store_of(session).labels([INCOMPLETE])
    assert labels.origins[0, 8] == Origin.PERSON
    assert labels.points[0, 8] == pytest.approx(predicted[8] - [0, 30 / view.to_screen().scale], abs=1e-4)


def test_accept_missing_fills_the_face_and_keeps_what_was_there(
    qtbot: QtBot, panel: CanvasPanel, session: Session
) -> None:
    predict(qtbot, session)
    before = store_of(session).labels([INCOMPLETE])
    panel.view.editor.accept_missing()
    after = store_of(session).labels([INCOMPLETE])
    assert after.mask.all()
    assert (after.points[before.mask] == before.points[before.mask]).all()
    assert panel.walk_bar.title.text() == "This face is complete."
    store_of(session).undo_stack.undo()
    assert store_of(session).labels([INCOMPLETE]).same_as(before)


def test_accept_says_why_it_does_nothing(panel: CanvasPanel, session: Session) -> None:
    hints: list[str] = []
    panel.hint.connect(hints.append)
    panel.view.editor.accept_current()
    session.set_keypoint(10)
    panel.view.editor.accept_current()
    assert hints == [
        "Choose a run to see its predictions, then accept them.",
        "The nose tip is already labelled; predictions never replace labels.",
    ]


def test_space_tapped_goes_to_the_next_incomplete_face_held_it_pans(
    qtbot: QtBot, view: CanvasView, session: Session
) -> None:
    middle = on_screen(view, (48, 48))
    qtbot.keyPress(view, Key.Key_Space)
    drag(view, middle, middle + QPointF(50, 20))
    qtbot.keyRelease(view, Key.Key_Space)
    assert session.sample_id == INCOMPLETE
    assert on_screen(view, (48, 48)).x() == pytest.approx(middle.x() + 50, abs=1.5)
    assert state(session, INCOMPLETE, 2) == PointState.UNSET
    qtbot.keyPress(view, Key.Key_Space)
    qtbot.keyRelease(view, Key.Key_Space)
    assert session.sample_id == 6


def test_the_keypoint_stays_on_the_next_face_where_it_is_missing_too(
    qtbot: QtBot, view: CanvasView, session: Session
) -> None:
    session.set_keypoint(12)
    session.set_sample(6)
    shown(qtbot, view, 6)
    assert session.keypoint == 12
    session.set_sample(1)
    assert session.keypoint == 12, "a complete face keeps it as well"


def test_nothing_can_be_edited_while_the_image_is_on_its_way(view: CanvasView, session: Session) -> None:
    before = store_of(session).labels([24])
    at = on_screen(view, (60, 40))
    session.set_sample(24)
    if view.shown_face is None:
        click(view, at)
    assert store_of(session).labels([24]).same_as(before)
    assert session.run != RUN
