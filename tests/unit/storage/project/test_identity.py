"""An open project is known by its database, not by its path; a lost one is found or saved out of what is open."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import make_project
from training.errors import UserError
from training.progress import Cancelled, Progress
from training.storage.project.identity import Address, identity
from training.storage.project.project import Project
from training.storage.project.save_copy import begin_copy, discard_copy, finish_copy, hold_pixels
from training.storage.project.whereabouts import Lost, Whereabouts

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be moved or deleted on Windows")


@pytest.fixture
def project(project_path: Path) -> Iterator[Project]:
    with Project.open(project_path) as opened:
        yield opened


@pytest.fixture
def watch(project: Project) -> Iterator[Whereabouts]:
    made = Whereabouts(project.address)
    yield made
    made.close()


def test_a_project_in_its_place(project: Project, watch: Whereabouts) -> None:
    assert watch.look() is None
    with Project.open(project.address, read_only=True) as again:
        assert again.address == project.address


def test_a_renamed_folder_is_found(project: Project, watch: Whereabouts, tmp_path: Path) -> None:
    project.path.rename(tmp_path / "renamed.fkp")
    lost = watch.look()
    assert lost is not None and lost.how == "moved" and lost.is_kept
    if sys.platform in ("linux", "darwin"):
        assert lost.found == tmp_path / "renamed.fkp"
    (tmp_path / "renamed.fkp").rename(project.path)
    assert watch.look() is None


def test_a_renamed_parent_is_a_move(project: Project, watch: Whereabouts, tmp_path: Path) -> None:
    folder = tmp_path / "parent"
    folder.mkdir()
    make_project(folder / "p.fkp", count=3)
    with Project.open(folder / "p.fkp") as inner:
        looking = Whereabouts(inner.address)
        folder.rename(tmp_path / "other parent")
        lost = looking.look()
        assert lost is not None and lost.found == tmp_path / "other parent" / "p.fkp"
        looking.close()


def test_a_deleted_folder(project: Project, watch: Whereabouts) -> None:
    shutil.rmtree(project.path)
    assert watch.look() == Lost("deleted")
    with pytest.raises(UserError, match="no longer the project that is open"):
        Project.open(project.address)


def test_another_project_in_its_place_is_neither_opened_nor_upgraded(
    project: Project, watch: Whereabouts, tmp_path: Path
) -> None:
    other = make_project(tmp_path / "other.fkp", count=3)
    shutil.rmtree(project.path)
    other.rename(project.path)
    assert watch.look() == Lost("replaced")
    before = (project.path / "project.db").read_bytes()
    for read_only in (True, False):
        with pytest.raises(UserError, match="moved, deleted or replaced"):
            Project.open(project.address, read_only=read_only)
    assert (project.path / "project.db").read_bytes() == before


def test_closing_a_replaced_project_leaves_the_log_of_the_other_alone(project_path: Path, tmp_path: Path) -> None:
    """SQLite removes the write-ahead log beside the database by its name when the last connection closes."""
    other = make_project(tmp_path / "other.fkp", count=3)
    opened, using = Project.open(project_path), Project.open(other)
    opened.set_groups([1], ["ours"])
    shutil.rmtree(project_path)
    other.rename(project_path)
    using.set_groups([2], ["theirs"])
    opened.close()
    assert (project_path / "project.db-wal").stat().st_size
    with Project.open(project_path, read_only=True) as reader:
        assert reader.groups([2]) == ["theirs"]
    using.close()


def test_a_path_alone_is_any_project(project_path: Path) -> None:
    Address(project_path).check()
    assert identity(project_path.with_name("none.fkp")) is None
    address = Address(project_path, identity(project_path))
    assert Address.from_json(address.to_json()) == address
    assert Address.from_json(str(project_path)) == Address(project_path)


def test_a_copy_of_a_deleted_project_is_whole(project: Project, tmp_path: Path) -> None:
    held = hold_pixels(project)
    labels, images = project.labels(project.ids()), [project.image(int(i)) for i in project.ids()]
    shutil.rmtree(project.path)
    project.set_groups([1], ["after it was deleted"])
    path = finish_copy(begin_copy(project, tmp_path / "copy.fkp"), held, Progress())
    with Project.open(path) as copy:
        assert copy.labels(copy.ids()).same_as(labels)
        assert copy.groups([1]) == ["after it was deleted"]
        assert all(np.array_equal(copy.image(int(i)), image) for i, image in zip(copy.ids(), images, strict=True))
        copy.set_groups([2], ["and it can be written"])
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_copy_never_replaces_anything_and_leaves_nothing_when_cancelled(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="already exists"):
        begin_copy(project, project.path)
    with pytest.raises(UserError, match="not a folder"):
        begin_copy(project, project.path / "project.db" / "copy.fkp")
    with pytest.raises(Cancelled):
        finish_copy(begin_copy(project, tmp_path / "copy.fkp"), hold_pixels(project), Progress(None, lambda: True))
    discard_copy(begin_copy(project, tmp_path / "copy.fkp"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "small.fkp"]
