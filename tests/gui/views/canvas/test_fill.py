"""Predictions that follow the labels: rings move with the dragged point, ellipses shrink, undo brings them back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.review.accept_facts import candidates_in
from fkp_studio.document.session import Session
from fkp_studio.face.face import Face
from fkp_studio.jobs.prediction.fills import FillMaker
from fkp_studio.views.canvas.view import CanvasView
from fkp_studio.views.points.model import Column
from fkp_studio.views.points.table import PointsPanel
from tests.helpers.canvas import RUN, move, on_screen, point, predict, press, release, shown, store_of
from training.assist.filling.model import FillModel
from training.storage.runs.model.prediction_stamp import model_stamp, note_predicted
from training.storage.runs.run import Run

INCOMPLETE = 3  # has eye centres, nose tip and lower lip: keypoints 0, 1, 10, 14
PLACED, OTHER = 2, 12
BY = 2.0  # px; no slip of the hand yet


@pytest.fixture
def run(session: Session) -> Run:
    """RUN, whose points all share one error of about 2 px: one error predicts the others."""
    run = Run(store_of(session).project.runs_dir / RUN)
    run.path.mkdir(parents=True)
    one_axis = np.eye(2)[None, :, None, :] * (3.6 + 0.4 * np.eye(15)[:, None, :, None])
    FillModel(one_axis.reshape(30, 30) / 96**2, 100).save(run.fill)
    return run


@pytest.fixture
def view(qtbot: QtBot, session: Session, run: Run) -> Iterator[CanvasView]:
    assert run.path.is_dir()
    made = CanvasView(session)
    qtbot.addWidget(made)
    made.resize(700, 640)
    with qtbot.waitExposed(made):
        made.show()
    predict(qtbot, session)
    session.set_sample(INCOMPLETE)
    shown(qtbot, made, INCOMPLETE)
    yield made
    session.close_project()


def now(view: CanvasView) -> Face:
    face = view.shown_face
    assert face is not None
    return face


def place(session: Session, view: CanvasView, *, by: float = BY) -> None:
    """Place the missing point to the right of where it is expected."""
    x, y = now(view).predicted[PLACED].tolist()
    store_of(session).place(INCOMPLETE, PLACED, (x + by, y))


def test_rings_stand_where_the_labels_have_them(session: Session, view: CanvasView) -> None:
    face, plain = now(view), store_of(session).predictions(RUN, [INCOMPLETE]).points[0]
    off = (face.points - plain)[[0, 1, 10, 14]]
    expected = 3.6 * off.sum(axis=0) / (0.4 + 4 * 3.6)  # of four labels that share one shift
    assert face.predicted[OTHER] == pytest.approx(plain[OTHER] + expected, abs=1e-3)
    assert np.array_equal(face.predicted[0], plain[0].astype(float))  # at a label: the run's own confidence


def test_a_placed_point_moves_the_other_rings_and_shrinks_their_ellipses_until_it_is_undone(
    session: Session, view: CanvasView
) -> None:
    before = now(view)
    place(session, view)
    after = now(view)
    moved = (after.predicted - before.predicted)[OTHER]
    assert moved == pytest.approx([BY * 3.6 / (5 * 3.6 + 0.4), 0], abs=1e-3)
    assert after.doubts[OTHER] < before.doubts[OTHER]
    assert np.isnan(after.doubts[PLACED])
    assert after.confidences[OTHER] > before.confidences[OTHER]
    assert np.array_equal(after.points[[0, 1]], before.points[[0, 1]])  # labels stay
    store_of(session).undo_stack.undo()
    assert np.array_equal(now(view).predicted, before.predicted, equal_nan=True)
    assert np.array_equal(now(view).doubts, before.doubts, equal_nan=True)


def _ink(view: CanvasView, around: QPointF) -> QImage:
    """What is painted near a position on the screen (as an image, which owns its bytes)."""
    box = QRect(0, 0, 13, 13)
    box.moveCenter(around.toPoint())
    return view.viewport().grab(box).toImage()


def test_rings_move_while_a_point_is_dragged_and_go_back_where_it_is_let_go_of(
    session: Session, view: CanvasView
) -> None:
    face = now(view)
    start = on_screen(view, face.points[10])
    ring = on_screen(view, face.predicted[OTHER])
    before, saved = _ink(view, ring), point(session, INCOMPLETE, 10)
    press(view, start)
    move(view, start + QPointF(4 * view.to_screen().scale, 0))
    assert _ink(view, ring) != before
    assert point(session, INCOMPLETE, 10) == saved
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert _ink(view, ring) == before
    release(view, start)


def test_ellipses_can_be_switched_off(view: CanvasView) -> None:
    shown_before = view.viewport().grab().toImage()
    view.toggle("ellipses")
    assert not view.bar.adjust.ellipses.isChecked()
    assert view.viewport().grab().toImage() != shown_before
    view.bar.adjust.ellipses.setChecked(True)
    assert view.display.ellipses


def test_what_is_accepted_is_what_is_shown_and_moves_nothing(session: Session, view: CanvasView) -> None:
    before = now(view)
    candidates = candidates_in(store_of(session).path, RUN, cancelled=lambda: False)
    view.editor.accept(PLACED)
    after = now(view)
    assert after.points[PLACED] == pytest.approx(before.predicted[PLACED])
    assert after.predicted[OTHER] == pytest.approx(before.predicted[OTHER])
    assert after.doubts[OTHER] == pytest.approx(before.doubts[OTHER])  # an accepted prediction is not a person's label
    assert after.errors[PLACED] == pytest.approx(0)
    here = candidates.confidences[(candidates.ids == INCOMPLETE) & (candidates.keypoints == PLACED)]
    assert here == pytest.approx(before.confidences[[PLACED]])
    view.editor.accept_missing()
    assert now(view).points[OTHER] == pytest.approx(before.predicted[OTHER])


def test_the_points_panel_says_how_far_off_a_prediction_may_be(
    qtbot: QtBot, session: Session, view: CanvasView
) -> None:
    panel = PointsPanel(session)
    qtbot.addWidget(panel)
    cell = panel.model.index(OTHER, Column.ERROR)
    # 0.4 + 3.6 * 0.4 / (4 * 3.6 + 0.4) of variance is left on each axis: sqrt(pi / 2) of its root
    left = 0.4 + 3.6 * 0.4 / (4 * 3.6 + 0.4)
    assert panel.model.data(cell) == f"±{np.sqrt(np.pi / 2 * left):.1f}"
    tip = panel.model.data(cell, 3)  # Qt.ItemDataRole.ToolTipRole
    assert tip == "Expected error of the prediction given 4 labels: 0.9 px"
    assert view.display.ellipses


def test_a_run_of_before_gets_its_model_from_val(qtbot: QtBot, session: Session, view: CanvasView) -> None:
    store = store_of(session)
    run = Run(store.project.runs_dir / RUN)
    run.fill.unlink()
    session.set_run("")
    maker = FillMaker(session)
    run.model.write_bytes(b"not read")
    note_predicted(run, model_stamp(run))
    with qtbot.waitSignal(store.changed):
        session.set_run(RUN)
    assert now(view).given is not None
    assert run.fill.is_file()
    assert maker.parent() is None


def test_a_damaged_model_is_told_and_rings_are_plain(qtbot: QtBot, session: Session, view: CanvasView) -> None:
    run = Run(store_of(session).project.runs_dir / RUN)
    session.set_run("")
    run.fill.write_bytes(b"torn")
    maker = FillMaker(session)
    with qtbot.waitSignal(maker.message) as told:
        session.set_run(RUN)
    assert "is damaged" in told.args[0]
    assert now(view).given is None
    assert np.array_equal(now(view).predicted, store_of(session).predictions(RUN, [INCOMPLETE]).points[0])
