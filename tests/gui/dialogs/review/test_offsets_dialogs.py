"""The label offset and calibration dialogs: what they report, and that each edit is one undo step."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.review import adjust_dialog
from fkp_studio.dialogs.review.adjust_dialog import AdjustDialog
from fkp_studio.dialogs.review.offsets_dialog import OffsetsDialog
from fkp_studio.document.session import Session
from tests.helpers.project_data import batch
from tests.unit.assist.offsets.test_calibrate_to_labels import make_run_in
from tests.unit.assist.offsets.test_label_offsets import make_project
from training.assist.offsets.calibrate_to_labels import Fit, to_json
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.project import Project
from training.storage.runs.model.adjustment import Adjustment, read_adjustment


class Predicting:
    """Stands in for Predictions: records which runs should be predicted."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def predict(self, run: str) -> None:
        self.asked.append(run)


def test_it_says_what_it_found_and_mends_in_one_step(qtbot: QtBot, tmp_path: Path) -> None:
    session = Session()
    session.open_project(make_project(tmp_path, 1.2))
    assert session.store is not None
    before = session.store.labels(session.store.ids())
    dialog = OffsetsDialog(session)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: dialog.go.isEnabled(), timeout=60_000)
    assert "px to the right" in dialog.summary.text()
    assert dialog.go.text().startswith("Shift labels by \u22121.")
    assert dialog.table.rowCount() == 5
    qtbot.waitUntil(lambda: len(dialog.faces.cards) == 6, timeout=60_000)
    dialog.go.click()
    qtbot.waitUntil(lambda: session.store.undo_stack.count() == 1, timeout=60_000)
    after = session.store.labels(session.store.ids())
    assert np.nanmean(after.points[..., 0] - before.points[..., 0]) < -0.9
    session.store.undo_stack.undo()
    qtbot.waitUntil(lambda: session.store.labels(session.store.ids()).same_as(before), timeout=60_000)
    session.close_project()


def test_a_project_that_cannot_tell_says_what_it_takes(qtbot: QtBot, session: Session) -> None:
    dialog = OffsetsDialog(session)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(
        lambda: dialog.summary.text().startswith("The offset of these labels cannot be determined"), timeout=60_000
    )
    assert not dialog.go.isEnabled()


def test_faces_that_are_not_predicted_are_by_a_process_and_the_fit_is_used(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dialog waits only for `fkp adjust --try`, not for all faces of the project."""
    with Project.create(tmp_path / "p.fkp", KAGGLE_15) as project:
        project.add_samples(batch(60))
        run = make_run_in(project)
    fit = Fit(Adjustment(np.full((15, 2), -1.5), 40, 2.24, 2.00), np.full(15, 2.24), np.full(15, 2.0), 4)
    said = json.dumps(to_json(fit, KAGGLE_15.titles))
    command = (sys.executable, "-c", f"print({said!r})")
    monkeypatch.setattr(adjust_dialog.read_fit, "__kwdefaults__", {"command": command})
    session, predictions = Session(), Predicting()
    session.open_project(project.path)
    session.set_run(run.name)
    dialog = AdjustDialog(session, predictions)  # type: ignore[arg-type]  # only predict is asked of it
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: dialog.go.isEnabled(), timeout=60_000)
    assert dialog.summary.text() == fit.sentence
    cells = [dialog.table.item(0, column) for column in range(1, 5)]
    assert [cell.text() for cell in cells if cell is not None] == [
        "\u22121.50",
        "\u22121.50",
        "2.24",
        "2.00",
    ]
    dialog.go.click()
    qtbot.waitUntil(lambda: predictions.asked == [run.name], timeout=60_000)  # all its predictions are outdated now
    used = read_adjustment(run, keypoints=15)
    assert used is not None and used.offset.tolist() == [[-1.5, -1.5]] * 15
    again = AdjustDialog(session, predictions)  # type: ignore[arg-type]
    again.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(again)
    qtbot.waitUntil(lambda: again.summary.text() == fit.sentence and bool(again.state.text()), timeout=60_000)
    assert again.state.text() == "In use: calibrated on 40 faces, 2.24 → 2.00 px." and not again.go.isEnabled()
    again.take_away.click()
    qtbot.waitUntil(lambda: len(predictions.asked) == 2, timeout=60_000)
    assert read_adjustment(run, keypoints=15) is None
    session.close_project()


def test_a_fit_needs_a_run_and_faces(qtbot: QtBot, session: Session) -> None:
    predictions = Predicting()
    dialog = AdjustDialog(session, predictions)  # type: ignore[arg-type]  # only predict is asked of it
    qtbot.addWidget(dialog)
    assert "Choose a run" in dialog.summary.text()
    assert not dialog.go.isEnabled()
    assert predictions.asked == []
