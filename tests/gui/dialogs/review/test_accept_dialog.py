"""Accepting from the window: how many, which, one undo."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from fkp_studio.dialogs.review.accept_dialog import AcceptDialog
from fkp_studio.dialogs.review.accept_facts import outcome
from fkp_studio.document.members import accept_face
from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from training.assist.filling.candidates import Candidates

RUN = "0001-ml-resnet"


@pytest.fixture
def jobs(session: Session) -> Iterator[Jobs]:
    made = Jobs(session)
    yield made
    made.close()


def predict(session: Session) -> None:
    """A run with confidence 0.95 for faces 1 to 6, 0.7 for 7 to 12, and no predictions for the others."""
    assert session.store is not None
    ids = np.arange(1, 13)
    confidences = np.where(ids[:, None] <= 6, 0.95, 0.7).repeat(15, axis=1)
    session.store.project.write_predictions(RUN, ids, np.full((12, 15, 2), 40.0), confidences)


def opened(qtbot: QtBot, session: Session, jobs: Jobs) -> AcceptDialog:
    dialog = AcceptDialog(session, jobs, RUN)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)  # the test looks at it after it closed
    qtbot.addWidget(dialog)
    dialog.open()
    return dialog


def test_it_previews_and_accepts_above_a_confidence(qtbot: QtBot, session: Session, jobs: Jobs) -> None:
    predict(session)
    assert session.store is not None
    before = session.store.labels(session.store.ids())
    dialog = opened(qtbot, session, jobs)
    qtbot.waitUntil(lambda: dialog.go.text() == "Accept 22 points")  # faces 3 and 6 lack 11 points each
    # 0.05 ** (0.5 ** 1.8) = 0.423 are expected beyond 5 % where 0.05 are beyond 10 %
    assert dialog.summary.text() == "22 points in 2 faces. 42.3 % of them, about 9, are expected to be wrong."
    assert {dialog.table.item(k, 0).text(): dialog.table.item(k, 1).text() for k in (10, 11)} == {
        "nose tip": "0",
        "mouth left corner": "2",
    }
    qtbot.waitUntil(lambda: len(dialog.examples.cards) == 2)
    dialog.slider.setValue(70)
    assert dialog.spin.value() == 70
    qtbot.waitUntil(lambda: dialog.go.text() == "Accept 44 points" and dialog.go.isEnabled())
    dialog.spin.setValue(90)
    assert not dialog.go.isEnabled()  # until it has counted what would be accepted now
    qtbot.waitUntil(lambda: dialog.go.text() == "Accept 22 points" and dialog.go.isEnabled())
    dialog.go.click()
    qtbot.waitUntil(lambda: int(session.store.index().missing.sum()) == 66)
    after = session.store.labels(session.store.ids())
    assert np.array_equal(after.points[before.mask], before.points[before.mask])
    session.store.undo_stack.undo()
    qtbot.waitUntil(lambda: int(session.store.index().missing.sum()) == 88)


def test_where_nothing_is_sure_enough_it_says_how_sure_the_surest_is(
    qtbot: QtBot, session: Session, jobs: Jobs
) -> None:
    predict(session)
    dialog = opened(qtbot, session, jobs)
    dialog.spin.setValue(99)
    qtbot.waitUntil(lambda: "95 %" in dialog.summary.text())
    assert dialog.summary.text() == "No missing point has that confidence: the highest is 95 %."
    assert not dialog.go.isEnabled() and not dialog.heading.isVisible()


def test_accepted_points_can_be_taken_back(qtbot: QtBot, session: Session, jobs: Jobs) -> None:
    predict(session)
    assert session.store is not None
    accept_face(session.store, RUN, 3)
    assert session.store.index().missing[2] == 0
    dialog = opened(qtbot, session, jobs)
    dialog.take_back.click()
    assert session.store.index().missing[2] == 11
    session.store.undo_stack.undo()
    assert session.store.index().missing[2] == 0


def test_nothing_to_fill_is_said(qtbot: QtBot, session: Session, jobs: Jobs) -> None:
    dialog = opened(qtbot, session, jobs)
    qtbot.waitUntil(lambda: dialog.summary.text().startswith("Nothing to fill"))
    assert not dialog.go.isEnabled()


def test_without_a_run_it_says_what_to_do(qtbot: QtBot, session: Session, jobs: Jobs) -> None:
    dialog = AcceptDialog(session, jobs, "")
    qtbot.addWidget(dialog)
    assert dialog.summary.text().startswith("Choose a run")
    assert not dialog.go.isEnabled()


def test_the_count_is_what_the_project_accepts(qtbot: QtBot, session: Session) -> None:
    """The same threshold accepts the same points, even if a confidence equals it."""
    assert session.store is not None
    random = np.random.default_rng(1)
    ids = session.store.ids()
    confidences = random.choice([0.1, 0.7, 0.70001, 0.8, np.nan], (24, 15))
    session.store.project.write_predictions(RUN, ids, random.uniform(0, 96, (24, 15, 2)), confidences)
    from fkp_studio.dialogs.review.accept_facts import candidates_in

    found = candidates_in(session.store.path, RUN, cancelled=lambda: False)
    for threshold in (0.0, 0.05, 0.7, 0.75, 0.8, 0.9):
        mine = outcome(found, threshold, examples=3)
        sure = confidences >= threshold if threshold else np.ones_like(confidences, bool)  # a NaN is not
        fills = session.store.project.labels(ids).missing & sure
        assert (mine.points, mine.faces) == (fills.sum(), fills.any(axis=1).sum())
        assert mine.per_keypoint.tolist() == fills.sum(axis=0).tolist()
        assert len(mine.examples) == min(3, mine.faces)


def test_no_candidates_come_to_nothing() -> None:
    none = Candidates(np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, np.int16), 15)
    assert outcome(none, 0.5, examples=3).points == 0
