"""A million faces: nothing is decoded that isn't looked at, and memory stays bounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from fkp_studio.views.gallery.grid import GridView
from fkp_studio.views.gallery.thumbnails import Look, Thumbnails
from training.storage.project.project import Project

MILLION = 1_000_000


@pytest.fixture
def view(qtbot: QtBot) -> GridView:
    made = GridView()
    qtbot.addWidget(made)
    made.resize(300, 600)
    with qtbot.waitExposed(made):
        made.show()
    return made


def test_a_million_cells_ask_for_two_screens(qtbot: QtBot, view: GridView) -> None:
    with qtbot.waitSignal(view.in_sight) as seen:
        view.set_order(np.arange(1, MILLION + 1), current=0)
    assert seen.args[0][0] == 1
    assert len(seen.args[0]) < 200
    with qtbot.waitSignal(view.in_sight, check_params_cb=lambda ids: ids[-1] == MILLION) as seen:
        view.verticalScrollBar().setValue(view.verticalScrollBar().maximum())
    assert len(seen.args[0]) < 200


def test_the_last_row_holds_what_is_left(view: GridView) -> None:
    view.set_order(np.arange(1, MILLION + 1), current=-1)
    grid = view.grid
    assert grid.rowCount() == -(-MILLION // grid.columns)
    assert grid.sample_id(grid.index_of(MILLION - 1)) == MILLION
    beyond = grid.index(grid.rowCount() - 1, grid.columns - 1)
    assert (grid.sample_id(beyond) == -1) == (MILLION % grid.columns != 0)


def test_any_face_of_a_million_can_be_shown(view: GridView) -> None:
    view.set_order(np.arange(MILLION, 0, -1), current=-1)
    view.set_current(765_432)
    assert view.grid.sample_id(view.currentIndex()) == MILLION - 765_432
    assert view.viewport().rect().contains(view.visualRect(view.currentIndex()))


def test_opening_decodes_nothing(qtbot: QtBot, project_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(Project, "image", lambda self, sample_id, **_: read.append(sample_id))
    thumbnails = Thumbnails()
    thumbnails.set_project(project_path)
    thumbnails.want([])
    thumbnails.close()
    assert read == []


def test_the_cache_forgets_what_was_not_looked_at_for_long(qtbot: QtBot, project_path: Path) -> None:
    thumbnails = Thumbnails(capacity=5 * 64 * 64 * 4)
    thumbnails.set_look(Look(64))
    thumbnails.set_project(project_path)
    for first in (1, 9, 17):
        ids = list(range(first, first + 8))
        with qtbot.waitSignal(thumbnails.ready, check_params_cb=lambda got, ids=ids: ids[-1] in got):
            thumbnails.want(ids)
    thumbnails.close()
    assert thumbnails.nbytes <= 5 * 64 * 64 * 4
    assert thumbnails.get(1) is None
    assert thumbnails.get(24) is not None


def test_what_was_scrolled_away_is_not_drawn(qtbot: QtBot, project_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thumbnails = Thumbnails()
    thumbnails.set_project(project_path)
    wanted = thumbnails._wanted
    wanted.replace(list(range(1, 20)), Look(64))
    wanted.replace([21, 22], Look(64))
    work = wanted.take()
    thumbnails.close()
    assert work is not None
    assert work[0] == [21, 22]


def test_an_unreadable_image_is_told_and_not_tried_for_ever(
    qtbot: QtBot, project_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.errors import UserError

    tries: list[int] = []

    def broken(self: Project, sample_id: int, **_: object) -> np.ndarray:
        tries.append(sample_id)
        raise UserError("face.png cannot be read; copy it again.")

    monkeypatch.setattr(Project, "image", broken)
    thumbnails = Thumbnails()
    thumbnails.set_project(project_path)
    with qtbot.waitSignal(thumbnails.ready):
        thumbnails.want([1])
    thumbnails.want([1])
    thumbnails.close()
    assert thumbnails.problem(1) == "face.png cannot be read; copy it again."
    assert tries == [1]
