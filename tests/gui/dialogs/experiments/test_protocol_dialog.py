"""Evaluating by a protocol from the window: the process is started, its table shown, its error reported."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.experiments import protocol_dialog
from fkp_studio.dialogs.experiments.protocol_dialog import ProtocolDialog, evaluate_by, fitting
from fkp_studio.document.session import Session
from training.errors import UserError
from training.faces.labels.schema import AFLW_19, IBUG_68, KAGGLE_15
from training.faces.measures.protocols import PROTOCOLS

FACTS = {
    "rows": [
        {"subset": "val", "n": 12, **dict.fromkeys(PROTOCOLS["kaggle"].columns, 0.0512), "left_out": {}},
        {"subset": "test", "n": 0, **dict.fromkeys(PROTOCOLS["kaggle"].columns), "left_out": {"no label": 3}},
    ]
}


def answering(*, out: str = "", said: str = "", code: int = 0) -> tuple[str, ...]:
    """A command that answers like `fkp evaluate --json`."""
    script = f"import sys; sys.stdout.write({out!r}); sys.stderr.write({said!r}); sys.exit({code})"
    return (sys.executable, "-c", script)


def test_the_protocols_that_fit_come_first() -> None:
    assert fitting(IBUG_68) == ["300-w", "kaggle"] and fitting(AFLW_19) == ["aflw", "kaggle"]
    assert fitting(KAGGLE_15) == ["kaggle"]


def test_the_table_is_filled_and_copied(qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert session.store is not None
    monkeypatch.setattr(protocol_dialog.evaluate_by, "__kwdefaults__", {"command": answering(out=json.dumps(FACTS))})
    dialog = ProtocolDialog(session.store, "0001-cnn-6", runs=["0001-cnn-6", "0002-mlp"])
    qtbot.addWidget(dialog)
    dialog.runs.setCurrentText("0002-mlp")
    assert dialog.run == "0002-mlp"
    dialog.evaluate()
    assert not dialog.runs.isEnabled()
    assert not dialog.go.isEnabled()
    qtbot.waitUntil(dialog.go.isEnabled)
    first = [dialog.table.item(0, c) for c in range(dialog.table.columnCount())]
    texts = [item.text() for item in first if item is not None]
    assert texts[:4] == ["val", "12", "0.0512", "5.12"]
    assert "left out of test: 3 (no label)" in dialog.notes.text()
    assert "MLP 3.73" in dialog.papers.text()
    dialog.copy.click()
    assert QGuiApplication.clipboard().text().splitlines()[1].startswith("val\t12\t0.0512\t5.12")


def test_what_the_process_says_is_shown(qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert session.store is not None
    command = answering(said="a line before\nThe project has no samples.\n", code=2)
    monkeypatch.setattr(protocol_dialog.evaluate_by, "__kwdefaults__", {"command": command})
    dialog = ProtocolDialog(session.store, "0001-cnn-6")
    qtbot.addWidget(dialog)
    dialog.evaluate()
    qtbot.waitUntil(dialog.go.isEnabled)
    assert dialog.problem.text() == "The project has no samples." and dialog.table.rowCount() == 0


def test_cancelling_ends_the_process() -> None:
    sleeping = (sys.executable, "-c", "import time; time.sleep(60)")
    assert evaluate_by(Path("p.fkp"), "1", "kaggle", cancelled=lambda: True, command=sleeping) == ()
    with pytest.raises(UserError, match="exit code 9"):
        evaluate_by(Path("p.fkp"), "1", "kaggle", cancelled=lambda: False, command=answering(code=9))
