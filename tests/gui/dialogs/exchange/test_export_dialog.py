"""Exporting from the window."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.exchange import export_dialog
from fkp_studio.dialogs.exchange.export_dialog import ExportDialog
from fkp_studio.dialogs.exchange.export_order import FORMATS, export_model
from fkp_studio.document.session import Session
from training.errors import UserError
from training.sources.exchange.export_project import EXPORT_FORMATS

RUN = "0001-ml-resnet"


def opened(qtbot: QtBot, session: Session, kind: str) -> ExportDialog:
    dialog = ExportDialog(session)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)  # the test looks at it after it closed
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.format.setCurrentIndex(dialog.format.findData(kind))
    return dialog


def finish(qtbot: QtBot, dialog: ExportDialog) -> str:
    """Press Export; the sentence at the end."""
    dialog.go.click()
    qtbot.waitUntil(lambda: dialog.pages.currentIndex() == 2)
    return dialog.outcome.text()


def test_every_format_can_be_chosen() -> None:
    assert set(FORMATS) == {*EXPORT_FORMATS, "onnx"}


def test_a_model_is_written_by_a_process_whose_sentence_is_shown(
    qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = session.store
    assert store is not None
    keypoints = len(store.project.schema)
    store.project.write_predictions(
        "0001-cnn-6", store.ids()[:1], np.zeros((1, keypoints, 2)), np.zeros((1, keypoints))
    )
    dialog = opened(qtbot, session, "onnx")
    assert dialog.what.currentText() == "the model of 0001-cnn-6"
    assert dialog.out.path().suffix == ".onnx"
    fake = (sys.executable, "-c", "import sys; print(*sys.argv[3:])")
    monkeypatch.setattr(export_dialog, "export_model", partial(export_model, command=fake))
    dialog.int8.setChecked(True)
    assert finish(qtbot, dialog) == "--format onnx --run=0001-cnn-6 --int8"
    with pytest.raises(UserError, match="no such model"):
        export_model(
            Path("m"),
            Path("m.onnx"),
            run="0001-cnn-6",
            int8=False,
            cancelled=bool,
            command=(sys.executable, "-c", "raise SystemExit('no such model')"),
        )


def test_labels_are_written_where_it_says(qtbot: QtBot, session: Session, tmp_path: Path) -> None:
    dialog = opened(qtbot, session, "csv")
    out = dialog.out.path()
    assert out == tmp_path / "small-labels.csv"
    assert f"24 faces written to {out}" in finish(qtbot, dialog)
    assert len(out.read_text().splitlines()) == 25


def test_every_kind_of_file_is_written(qtbot: QtBot, session: Session, tmp_path: Path) -> None:
    for kind in ("kaggle", "pts"):
        dialog = opened(qtbot, session, kind)
        assert not dialog.lookup.isVisible()
        finish(qtbot, dialog)
        assert dialog.out.path().exists()


def test_predictions_of_a_run_can_be_written(qtbot: QtBot, session: Session) -> None:
    assert session.store is not None
    ids = session.store.ids()
    session.store.project.write_predictions(RUN, ids, np.full((24, 15, 2), 7.5), np.ones((24, 15)))
    dialog = opened(qtbot, session, "csv")
    dialog.what.setCurrentIndex(dialog.what.findData(RUN))
    finish(qtbot, dialog)
    assert "7.5" in dialog.out.path().read_text().splitlines()[1]


def test_a_submission_asks_for_its_table(qtbot: QtBot, session: Session, tmp_path: Path) -> None:
    dialog = opened(qtbot, session, "submission")
    assert dialog.lookup.isVisible()
    assert not dialog.go.isEnabled()
    assert "IdLookupTable" in dialog.go.toolTip()
    dialog.lookup.edit.setText(str(tmp_path / "not there.csv"))
    dialog.go.click()
    qtbot.waitUntil(lambda: "not there.csv" in dialog.problem.text())
    assert dialog.pages.currentIndex() == 0


def test_a_file_that_is_there_is_named_before_it_is_replaced(qtbot: QtBot, session: Session, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("old")
    dialog = opened(qtbot, session, "csv")
    dialog.out.edit.setText(str(tmp_path / "old.csv"))
    assert dialog.problem.text() == "old.csv exists and will be replaced."
    assert dialog.go.isEnabled()
    dialog.out.edit.setText("")
    assert not dialog.go.isEnabled()


def test_what_must_not_be_overwritten_is_said_at_once(qtbot: QtBot, session: Session, tmp_path: Path) -> None:
    assert session.store is not None
    database = session.store.path / "project.db"
    (tmp_path / "photo.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("mine")
    for kind, out, sentence in (
        ("csv", database, "inside the project"),
        ("kaggle", tmp_path / "photo.csv", "this is an image"),
        ("csv", tmp_path, "this is a folder"),
        ("pts", tmp_path / "full", "it is not empty"),
        ("pts", session.store.path / "runs", "inside the project"),
    ):
        dialog = opened(qtbot, session, kind)
        dialog.out.edit.setText(str(out))
        assert sentence in dialog.problem.text()
        assert not dialog.go.isEnabled()
        dialog.out.edit.setText(str(tmp_path / "free"))
        assert dialog.go.isEnabled() and not dialog.problem.text()


def test_tables_can_be_written_for_spreadsheets(qtbot: QtBot, session: Session) -> None:
    assert session.store is not None
    session.store.project.set_groups([1], ["=1+1"])
    for kind in ("kaggle", "pts", "submission", "onnx"):
        assert not opened(qtbot, session, kind).escape.isVisible()
    for escape, cell in ((False, ",=1+1,"), (True, ",'=1+1,")):
        dialog = opened(qtbot, session, "csv")
        assert dialog.escape.isVisible() and not dialog.escape.isChecked()
        dialog.escape.setChecked(escape)
        finish(qtbot, dialog)
        assert cell in dialog.out.path().read_text()
