"""The confidence window and the error budget of the accept dialog: their figures match a direct count."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.review.accept_dialog import AcceptDialog
from fkp_studio.dialogs.review.accept_facts import candidates_in, outcome
from fkp_studio.dialogs.review.confidence_dialog import ConfidenceDialog
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from training.assist.filling.accept import accept
from training.assist.filling.fill_of_run import run_fill
from training.assist.filling.model import FillModel
from training.faces.measures.error_curve import usual_curve
from training.storage.runs.model.adjustment import Adjustment, write_adjustment
from training.storage.runs.run import Run

RUN = "0001-ml-resnet"


@pytest.fixture
def jobs(session: Session) -> Iterator[Jobs]:
    made = Jobs(session)
    session.set_run(RUN)
    yield made
    made.close()


def predict(session: Session, confidences: np.ndarray) -> np.ndarray:
    """Predict every label 3 px off, and unset points at 40; returns the ids."""
    assert session.store is not None
    ids = session.store.ids()
    points = np.nan_to_num(session.store.labels(ids).points + np.array([3.0, 0.0]), nan=40.0)
    session.store.project.write_predictions(RUN, ids, points, confidences)
    return ids


def shown(qtbot: QtBot, dialog: ConfidenceDialog | AcceptDialog) -> None:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.show()


def test_the_plots_show_predicted_and_real_shares(qtbot: QtBot, session: Session, jobs: Jobs, tmp_path: Path) -> None:
    confidences = np.random.default_rng(0).uniform(0.3, 0.99, (24, 15))
    predict(session, confidences)
    assert session.store is not None
    write_adjustment(Run(session.store.path / "runs" / RUN), Adjustment(np.zeros((15, 2)), 24, 2.24, 2.00))
    dialog = ConfidenceDialog(session, jobs)
    shown(qtbot, dialog)
    qtbot.waitUntil(lambda: dialog.reliability.facts is not None)
    assert dialog.about.text().endswith("Includes the calibration to 24 labelled faces.")
    facts = dialog.reliability.facts
    assert facts is not None and session.store is not None
    val = session.store.index().splits == 1
    labels = session.store.labels(session.store.ids()[val])
    assert facts.points == int(labels.mask.sum()) and facts.faces == int(labels.mask.any(axis=1).sum())
    wrong = np.sort(usual_curve().wrong(confidences.astype(np.float32)[val][labels.mask], 0.05))
    assert facts.reliability.predicted[0] == pytest.approx(wrong[: facts.reliability.counts[0]].mean())
    x, y = dialog.reliability._dots.getData()
    assert x == pytest.approx(100 * facts.reliability.predicted) and y == pytest.approx(100 * facts.reliability.real)
    assert not dialog.predict.isVisible()
    dialog.beyond.setValue(50)
    qtbot.waitUntil(lambda: dialog.risk.facts is not None and dialog.risk.facts.reliability.beyond == 0.5)
    assert dialog.risk.facts is not None and (dialog.risk.facts.risk.real == 0).all()  # 3 px are less than that
    assert dialog.risk.read(QPointF(100, 0)).startswith("top 100%: 0.0% wrong, predicted")
    with qtbot.waitSignal(jobs.message, check_params_cb=lambda text: text.startswith("Saved")):
        dialog.risk.export(tmp_path / "risk.csv", kind="CSV")
    rows = list(csv.reader((tmp_path / "risk.csv").read_text().splitlines()))
    assert rows[0] == ["accepted", "actually wrong", "predicted wrong"] and rows[-1][:2] == ["1.0", "0.0"]


def test_without_predictions_it_says_what_to_do(qtbot: QtBot, session: Session, jobs: Jobs) -> None:
    dialog = ConfidenceDialog(session, jobs)
    shown(qtbot, dialog)
    qtbot.waitUntil(lambda: dialog.predict.isVisible() and dialog._reader.known is not None)
    assert dialog.reliability.nothing.isVisible() and "Predict all faces" in dialog.reliability.nothing.text()


def test_accepting_within_a_budget(qtbot: QtBot, session: Session, jobs: Jobs) -> None:
    """Faces 3 and 6 (of 24) lack 11 points each at 0.999 and 0.5: the budget decides whether the second is in."""
    assert session.store is not None
    independent = FillModel(
        1e-3 * np.eye(30), faces=6
    )  # labels carry no information on other points: confidences stay as predicted
    run = Run(session.store.path / "runs" / RUN)
    run.path.mkdir(parents=True)
    independent.save(run.fill)
    predict(session, np.where(np.arange(24)[:, None] < 5, 0.999, 0.5).repeat(15, axis=1))
    missing = session.store.index().missing
    sure, all_of_them = int(missing[:5].sum()), int(missing.sum())
    dialog = AcceptDialog(session, jobs, RUN)
    shown(qtbot, dialog)
    dialog.by_budget.setChecked(True)
    dialog.beyond.setValue(10)
    assert not dialog.spin.isEnabled() and dialog.at_most.isEnabled()
    qtbot.waitUntil(lambda: dialog.go.text() == f"Accept {sure} points" and dialog.go.isEnabled())
    assert "0.1 % of them, less than one, are expected to be wrong" in dialog.summary.text()
    dialog.at_most.setValue(60)
    qtbot.waitUntil(lambda: dialog.go.text() == f"Accept {all_of_them} points" and dialog.go.isEnabled())
    share = (sure * 0.001 + (all_of_them - sure) * 0.5) / all_of_them
    assert f"{100 * share:.1f} % of them" in dialog.summary.text()
    dialog.at_most.setValue(0.1)
    dialog.beyond.setValue(5)
    qtbot.waitUntil(lambda: "Nothing is within the budget" in dialog.summary.text())
    assert not dialog.go.isEnabled()
    dialog.at_most.setValue(60)
    dialog.beyond.setValue(10)
    qtbot.waitUntil(lambda: dialog.go.isEnabled())
    dialog.go.click()
    qtbot.waitUntil(lambda: session.store is not None and int(session.store.index().missing.sum()) == 0)


def test_what_is_counted_is_given_the_labels_as_what_is_accepted(session: Session) -> None:
    """The first count makes the run's missing fill model, so that count and acceptance agree."""
    predict(session, np.full((24, 15), 0.9))
    assert session.store is not None
    path = session.store.path
    run = Run(path / "runs" / RUN)
    run.path.mkdir(parents=True)
    assert run_fill(run) is None
    counted = candidates_in(path, RUN, cancelled=lambda: False)
    assert (counted.confidences > 0.91).all()  # every label is 3 px off in the same way: informative about the others
    found = outcome(counted, 0.91, examples=0)
    assert accept(session.store.project, RUN, min_confidence=0.91).points == found.points == len(counted.ids)
