"""Thousands of keypoints: what is done per face or edit does not grow with their square, nor for rows out of sight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from fkp_studio.document.lacking import Lacking, groups
from fkp_studio.document.session import Session
from fkp_studio.face.current_face import CurrentFace
from fkp_studio.views.points.model import Column, PointsModel
from fkp_studio.views.points.table import PointsPanel
from fkp_studio.window.pages.keypoints_dialog import MOST_BOXES, KeypointsDialog
from tests.helpers.calls import calls
from tests.helpers.many_keypoints import many_names, project_of_many
from training.faces.labels.schema import schema_from_names

MANY = 1000


@pytest.fixture
def many(qtbot: QtBot, tmp_path: Path) -> Session:
    session = Session()
    session.open_project(project_of_many(tmp_path / "many.fkp", MANY))
    return session


def test_the_groups_of_keypoints_are_found_in_one_pass() -> None:
    few, most = (calls(lambda n=n: groups(schema_from_names(many_names(n)))) for n in (100, 400))
    assert most < 1.5 * 4 * few


def test_an_edit_of_one_face_counts_all_groups_at_once() -> None:
    random = np.random.default_rng(0)
    schema = schema_from_names(many_names(400))
    lacking = Lacking.empty(50, schema)
    assert calls(lambda: lacking.put(np.array([3]), random.random((1, 400)) < 0.5)) < 100


@pytest.mark.parametrize("keypoints", [7, 16, 90])
def test_counts_are_those_of_the_faces_however_many_are_put_at_once(keypoints: int) -> None:
    random = np.random.default_rng(1)
    names = [*many_names(keypoints // 2), *(f"middle_{i}" for i in range(keypoints % 3))]
    schema, missing = schema_from_names(names), np.zeros((40, len(names)), bool)
    lacking = Lacking.empty(40, schema)
    for rows in (np.array([3]), np.arange(40), np.array([7, 3]), np.arange(10, 35)):
        missing[rows] = random.random((len(rows), len(names))) < 0.3
        lacking.put(rows, missing[rows])
        by_hand = [int(missing[:, list(group.keypoints)].any(axis=1).sum()) for group in lacking.groups]
        assert lacking.counts.tolist() == by_hand


def test_only_rows_in_sight_are_made_for_a_face(qtbot: QtBot, many: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = PointsPanel(many)
    qtbot.addWidget(panel)
    panel.resize(300, 400)
    with qtbot.waitExposed(panel):
        panel.show()
    made: set[int] = set()
    text = PointsModel._text

    def noted(model: PointsModel, face: object, k: int, column: Column) -> str:
        made.add(k)
        return text(model, face, k, column)  # type: ignore[arg-type]

    monkeypatch.setattr(PointsModel, "_text", noted)
    shown = panel.model.cell(0, Column.X)
    with qtbot.waitSignal(panel.model.dataChanged):
        many.next_sample()
    panel.table.viewport().repaint()
    assert panel.model.cell(0, Column.X) != shown
    assert 5 < len(made) < 60


def test_after_looking_at_all_rows_a_face_is_reported_without_making_them(
    qtbot: QtBot, many: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = PointsModel(many, CurrentFace(many))
    before = [model.cell(k, Column.X) for k in range(MANY)]
    count = 0

    def noted(*_: object) -> str:
        nonlocal count
        count += 1
        return ""

    with qtbot.waitSignal(model.dataChanged) as told:
        many.next_sample()
        monkeypatch.setattr(PointsModel, "_text", noted)
    assert count == 0
    assert (told.args[0].row(), told.args[1].row()) == (0, MANY - 1)
    monkeypatch.undo()
    assert [model.cell(k, Column.X) for k in range(MANY)] != before


def test_a_dialog_of_many_keypoints_makes_a_box_for_the_row_that_is_clicked(
    qtbot: QtBot, many: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QComboBox, "showPopup", lambda box: None)  # it would grab the keyboard
    assert many.store is not None and MANY > MOST_BOXES
    dialog = KeypointsDialog(many.store)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.show()
    assert len(dialog.findChildren(QComboBox)) == 2  # of the eyes
    assert [dialog.table.item(k, 1).text() for k in (0, 1)] == ["right 0", "left 0"]
    dialog.table.cellClicked.emit(0, 1)
    box = dialog.partners[0]
    assert box.count() == MANY and box.currentText() == "right 0"
    box.setCurrentIndex(5)
    box.activated.emit(5)
    assert dialog.schema().flip[:6] == (5, 1, 3, 2, 4, 0)
    assert [dialog.table.item(k, 1).text() for k in (1, 5)] == ["none (on the midline)", "left 0"]
