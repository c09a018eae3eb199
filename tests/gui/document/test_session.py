"""The current selection: faces in the gallery's order, keypoint, run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from tests.conftest import make_project
from training.errors import UserError


def test_opening_a_project_shows_its_first_face(qtbot: QtBot, project_path: Path) -> None:
    session = Session()
    with qtbot.waitSignals([session.project_changed, session.sample_changed]):
        session.open_project(project_path)
    assert session.sample_id == 1
    assert session.order.tolist() == list(range(1, 25))
    session.close_project()
    assert session.store is None and session.sample_id == -1 and len(session.order) == 0


def test_a_project_that_cannot_be_read_leaves_the_open_one(session: Session, tmp_path: Path) -> None:
    before = session.store
    with pytest.raises(UserError):
        session.open_project(tmp_path / "none.fkp")
    assert session.store is before


def test_next_and_previous_follow_the_gallery_and_stay_at_its_ends(session: Session) -> None:
    session.set_order(np.array([5, 3, 9]))
    session.set_sample(5)
    walked = []
    for step in (1, 1, 1, -1, -1, -1):
        session.next_sample(step)
        walked.append(session.sample_id)
    assert walked == [3, 9, 9, 3, 5, 5]


def test_a_face_that_the_filter_hides_is_left_for_the_first_of_the_list(session: Session) -> None:
    session.set_sample(7)
    session.set_order(np.array([5, 3, 9]))
    assert session.sample_id == 7
    session.next_sample()
    assert session.sample_id == 5


def test_next_incomplete_goes_round_the_end(session: Session) -> None:
    session.set_sample(1)
    found = []
    for _ in range(9):
        assert session.next_incomplete()
        found.append(session.sample_id)
    assert found == [3, 6, 9, 12, 15, 18, 21, 24, 3]


def test_next_incomplete_says_when_there_is_no_other(session: Session) -> None:
    session.set_order(np.array([1, 2, 3]))
    session.set_sample(3)
    assert not session.next_incomplete()
    assert session.sample_id == 3


def test_the_place_follows_the_order(session: Session) -> None:
    session.set_order(np.array([5, 2, 9, 7]))
    session.set_sample(9)
    session.next_sample()
    assert (session.sample_id, session.place(7), session.place(2), session.place(7)) == (7, 3, 1, 3)
    session.set_order(np.array([7, 5]))
    assert (session.place(7), session.place(2), session.place(5)) == (0, -1, 1)
    session.set_order(np.empty(0, np.int64))
    assert session.place(7) == -1


def test_signals_come_only_for_a_change(session: Session, qtbot: QtBot) -> None:
    session.set_sample(4)
    session.set_keypoint(2)
    session.set_run("0001-cnn")
    for signal, act in (
        (session.sample_changed, lambda: session.set_sample(4)),
        (session.keypoint_changed, lambda: session.set_keypoint(2)),
        (session.run_changed, lambda: session.set_run("0001-cnn")),
    ):
        with qtbot.assertNotEmitted(signal):
            act()


def test_another_project_begins_anew(session: Session, tmp_path: Path) -> None:
    session.set_sample(9)
    session.set_keypoint(3)
    session.open_project(make_project(tmp_path / "other.fkp", count=3))
    assert (session.sample_id, session.keypoint, session.run) == (1, -1, "")
    assert len(session.order) == 3
