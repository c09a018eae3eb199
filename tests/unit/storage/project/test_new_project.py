"""Files beside a project while it is being made, and after its maker was killed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from training.faces.labels.schema import KAGGLE_15
from training.storage.project.new_project import new_project, sweep
from training.storage.project.project import Project

OLD = (1.0, 1.0)  # seconds since 1970


def left_behind(folder: Path, name: str) -> Path:
    """The leftovers of a maker that was killed long ago."""
    path = folder / name
    Project.create(path, KAGGLE_15).close()
    for part in (*path.iterdir(), path):
        os.utime(part, OLD)
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"home"}


def test_the_next_project_sweeps_away_what_a_killed_maker_left(tmp_path: Path) -> None:
    left_behind(tmp_path, ".faces.fkp.0123abcd.importing")
    left_behind(tmp_path, "other.fkp")
    left_behind(tmp_path, ".mine.importing")
    with new_project(tmp_path / "new.fkp", KAGGLE_15):
        assert ".faces.fkp.0123abcd.importing" not in names(tmp_path)
    assert names(tmp_path) == {"other.fkp", ".mine.importing", "new.fkp"}


def test_what_is_being_made_or_holds_something_else_stays(tmp_path: Path) -> None:
    foreign = left_behind(tmp_path, ".notes.fkp.0123abcd.importing")
    (foreign / "diary.txt").write_text("mine")
    for part in (*foreign.iterdir(), foreign):
        os.utime(part, OLD)
    (tmp_path / ".file.0123abcd.new").touch()
    with new_project(tmp_path / "new.fkp", KAGGLE_15) as project:
        for part in (*project.path.iterdir(), project.path):
            os.utime(part, OLD)
        before = names(tmp_path)
        sweep(tmp_path)
        assert names(tmp_path) == before
    assert names(tmp_path) == {foreign.name, ".file.0123abcd.new", "new.fkp"}
    fresh = Path(shutil.copytree(tmp_path / "new.fkp", tmp_path / ".new.fkp.0123abcd.importing"))
    sweep(tmp_path)
    assert fresh.exists()


def test_a_fault_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_project(tmp_path / "deep" / "new.fkp", KAGGLE_15):
        raise KeyboardInterrupt
    assert names(tmp_path / "deep") == set()
