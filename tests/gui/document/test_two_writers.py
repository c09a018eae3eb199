"""Two programs write one project at once: nothing is lost, wherever the statements of one fall between the other's."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from tests.helpers import two_writers
from tests.helpers.two_writers import Pair, mixed, one_after_the_other, places, prepare

PAIRS = [
    Pair("place a point", "fill", window=True),
    Pair("nudge a point", "fill", window=True),
    Pair("mark a point absent", "fill", window=True),
    Pair("mark a point occluded", "place the same point", window=True),
    Pair("undo", "place another point", window=True),
    Pair("import", "import", window=False),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "project"
    prepare(folder)
    return folder


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_two_writers_end_as_if_one_came_after_the_other(
    qapp: QApplication, prepared: Path, tmp_path: Path, pair: Pair
) -> None:
    folder = tmp_path / "case"
    allowed = one_after_the_other(prepared, folder, pair)
    tried = [place for place in places(prepared, folder, pair) if place[1] % 5 == 0]
    assert len(tried) > 10
    for at, until in tried:
        assert mixed(prepared, folder, pair, at=at, until=until) in allowed, (at, until)


def test_each_act_changes_the_project(qapp: QApplication, prepared: Path, tmp_path: Path) -> None:
    begun = two_writers.content(prepared / two_writers.PROJECT)
    for pair in two_writers.pairs():
        assert begun not in one_after_the_other(prepared, tmp_path / "case", pair), pair.name
