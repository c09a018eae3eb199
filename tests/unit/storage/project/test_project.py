"""The project folder: made completely or not at all, unreadable ones reported, movable."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.conftest import make_project
from tests.helpers.project_data import batch, moved
from training.errors import UserError
from training.faces.labels.schema import IBUG_68, KAGGLE_15
from training.storage.project import project as project_module
from training.storage.project.pixels import PixelWriter
from training.storage.project.project import Project
from training.storage.project.tables.imports import read_imports
from training.storage.project.tables.samples import source_cells


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*")}


def test_create_and_reopen(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "faces.fkp"
    with Project.create(path, IBUG_68) as project:
        assert (len(project), project.name, project.schema) == (0, "faces", IBUG_68)
        assert len(project.index()) == 0
        assert project.ids().tolist() == []
    assert files(tmp_path / "deep") == {"faces.fkp", "faces.fkp/project.db", "faces.fkp/runs"}
    with Project.open(path) as project:
        assert project.schema == IBUG_68


def test_create_over_something_is_refused(project_path: Path) -> None:
    with pytest.raises(UserError, match="already exists"):
        Project.create(project_path, KAGGLE_15)


def test_a_failed_creation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(project_module, "_fill_folder", full)
    with pytest.raises(UserError, match="is full"):
        Project.create(tmp_path / "a.fkp", KAGGLE_15)
    assert files(tmp_path) == {"home"}


def test_no_room_for_sqlites_own_files_is_a_full_disk(project_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite reports an I/O error; on a disk with free space that means a fault."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    for free, sentence in ((4096, "is full"), (1 << 40, "reports an error")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _folder, free=free: SimpleNamespace(free=free))
        with (
            Project.open(project_path) as project,
            pytest.raises(UserError, match=sentence),
            project.database.transaction(),
        ):
            raise error


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: None, "There is no project"),
        (lambda p: p.mkdir(), "is not an FKP Studio project"),
        (lambda p: (p.mkdir(), (p / "project.db").write_bytes(b"x" * 5000)), "is damaged"),
        (lambda p: (p.mkdir(), (p / "project.db").write_bytes(b"")), "is not an FKP Studio database"),
        (
            lambda p: (p.mkdir(), sqlite3.connect(p / "project.db").execute("CREATE TABLE a (b)").connection.close()),
            "is not an FKP Studio database",
        ),
    ],
    ids=["nothing", "empty folder", "garbage", "empty file", "another database"],
)
def test_what_is_no_project_is_refused(tmp_path: Path, make: object, sentence: str) -> None:
    path = tmp_path / "a.fkp"
    make(path)
    with pytest.raises(UserError, match=sentence):
        Project.open(path)


def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.fkp", count=200)
    data = bytearray((path / "project.db").read_bytes())
    data[8192:-4096] = os.urandom(len(data) - 4096 - 8192)
    (path / "project.db").write_bytes(data)
    with pytest.raises(UserError, match="damaged"), Project.open(path) as project:
        project.labels(project.ids())
        project.index()


def test_a_newer_version_is_refused(project_path: Path) -> None:
    sql = sqlite3.connect(project_path / "project.db")
    sql.execute("PRAGMA user_version = 99")
    sql.close()
    with pytest.raises(UserError, match=r"newer FKP Studio \(format 99; .*nothing was changed"):
        Project.open(project_path)


@pytest.fixture
def first_format(project_path: Path) -> Path:
    """The project in the first format, without crops."""
    sql = sqlite3.connect(project_path / "project.db")
    sql.executescript("DROP TABLE faces; PRAGMA user_version = 1")
    sql.close()
    return project_path


def test_a_project_of_the_first_format_is_upgraded_when_it_is_opened(first_format: Path) -> None:
    for _ in range(2):
        with Project.open(first_format) as project:
            assert not project.faces().crops.any() and project.labels([1]).mask.all()
            assert project.database.one("PRAGMA user_version") == (3,)
    with Project.open(first_format) as project:
        added = replace(batch(2, first=100), subsets=("helen", ""), boxes=np.array([[1, 2, 3, 4], [np.nan] * 4]))
        ids = project.add_samples(added)
        assert project.faces(ids).subsets == ("helen", "") and project.faces(ids).boxes[0].tolist() == [1, 2, 3, 4]


def test_a_project_of_the_first_format_can_be_looked_at_without_changing_it(first_format: Path) -> None:
    with Project.open(first_format, read_only=True) as project:
        assert set(project.faces().subsets) == {""} and project.image(1).shape == (96, 96)
        assert project.database.one("PRAGMA user_version") == (1,)


def test_a_damaged_schema_is_told(project_path: Path) -> None:
    with Project.open(project_path) as project, project.database.transaction() as sql:
        sql.execute("UPDATE meta SET value = '{' WHERE key = 'schema'")
    with pytest.raises(UserError, match="damaged"):
        Project.open(project_path)


def test_write_protection_is_told_and_reading_works(project_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *a, **k: False)  # root may write anywhere: act as another user
    with pytest.raises(UserError, match="write-protected"):
        Project.open(project_path)
    with Project.open(project_path, read_only=True) as project:
        assert project.labels([1]).mask.all()
        with pytest.raises(UserError, match="is open read-only"):
            project.write_labels([1], project.labels([1]))


def test_images_and_rows_come_back(tmp_path: Path) -> None:
    with Project.create(tmp_path / "a.fkp", KAGGLE_15) as project:
        parts = [batch(5), batch(4, first=5), batch(3, first=9)]
        with project.importing("training.csv") as importing:
            for part in parts:
                importing.add_samples(part)
            importing.set_groups(np.array([2]), ["new"], np.array([2], np.uint8))
            importing.problems.append("row 3 was left out")
    with Project.open(tmp_path / "a.fkp") as project:
        assert project.names() == [f"face-{i}" for i in range(12)]
        assert np.array_equal(project.image(6), parts[1].pixels[0])
        assert project.image(6, channels=3).shape == (96, 96, 3)
        assert project.images([1, 12], size=48).shape == (2, 48, 48)
        assert project.images([1], size=48, channels=3).shape == (1, 48, 48, 3)
        assert source_cells(project.database, [12, 1]) == [("11.50", ""), ("0.50", "")]
        sample = project.sample(2)
        assert (sample.name, sample.source, sample.group, sample.split) == ("face-1", "training.csv#1", "new", "test")
        assert (sample.width, sample.height, sample.path, sample.flags) == (96, 96, None, ("outside",))
        assert project.groups([2, 1]) == ["new", "p0"]
        assert project.index().flagged.tolist() == [
            False,
            True,
            False,
            False,
            False,
            False,
            True,
            False,
            False,
            False,
            True,
            False,
        ]
        assert project.index().splits.tolist() == [0, 2, 2, 0, 1, 0, 1, 2, 0, 0, 1, 2]
        (done,) = read_imports(project.database)
        assert (done.source, done.count, done.problems) == ("training.csv", 12, ("row 3 was left out",))


def test_pixels_of_several_imports_and_sizes(tmp_path: Path) -> None:
    with Project.create(tmp_path / "a.fkp", KAGGLE_15) as project:
        project.add_samples(batch(3))
        small = batch(2, first=3, side=64)
        project.add_samples(small)
        assert np.array_equal(project.image(5), small.pixels[1])
        assert project.images([1, 4], size=32).shape == (2, 32, 32)
        assert project.index().widths.tolist() == [96] * 3 + [64] * 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UserError("row 7"), OSError(errno.ENOSPC, "full")], ids=repr)
def test_a_broken_import_leaves_nothing(project_path: Path, error: BaseException) -> None:
    before = files(project_path)
    with Project.open(project_path) as project:
        hashed = project.label_hash()
        with pytest.raises(type(error)), project.importing("more.csv") as importing:
            importing.add_samples(batch(2000, first=100))
            raise error
        assert len(project) == 24
        assert project.label_hash() == hashed
        assert len(project.index()) == 24
        assert len(read_imports(project.database)) == 1
        assert project.add_samples(batch(2, first=100)).tolist() == [25, 26]
        assert np.array_equal(project.image(26), batch(2, first=100).pixels[1])
    assert files(project_path) - before == {"pixels/0002.npy"}


def test_a_full_disk_while_pixels_are_written(project_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: PixelWriter, images: np.ndarray) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = files(project_path)
    with Project.open(project_path) as project:
        monkeypatch.setattr(PixelWriter, "write", full)
        with pytest.raises(UserError, match=r"is full: nothing was written"):
            project.add_samples(batch(3, first=100))
        assert len(project) == 24
    assert files(project_path) == before


def test_a_full_disk_in_the_database(project_path: Path) -> None:
    before = files(project_path)
    with Project.open(project_path) as project:
        pages = project.database.one("PRAGMA page_count")
        project.database.one(f"PRAGMA max_page_count = {pages[0] + 5}")
        with pytest.raises(UserError, match="all earlier changes are safe"):
            project.add_samples(batch(2000, first=100))
        assert len(project) == 24
        labels = project.labels([1])
        project.write_labels([1], moved(labels))
        assert project.labels([1]).same_as(moved(labels))
    assert files(project_path) == before


def test_another_number_of_keypoints_is_refused(tmp_path: Path) -> None:
    with (
        Project.create(tmp_path / "a.fkp", IBUG_68) as project,
        pytest.raises(UserError, match="has 15 keypoints, the project has 68"),
    ):
        project.add_samples(batch(2))


def test_a_missing_pixel_file_is_named(project_path: Path) -> None:
    (project_path / "pixels" / "0001.npy").unlink()
    with Project.open(project_path) as project:
        with pytest.raises(UserError, match=r"0001\.npy is missing"):
            project.image(1)
        assert project.labels([1]).mask.all()


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_damaged_pixel_file_is_named(project_path: Path, keep: int) -> None:
    path = project_path / "pixels" / "0001.npy"
    path.write_bytes(path.read_bytes()[:keep])
    with Project.open(project_path) as project, pytest.raises(UserError, match=r"0001\.npy"):
        project.image(1)


def test_pixels_are_never_unpickled(project_path: Path) -> None:
    np.save(project_path / "pixels" / "0001.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with Project.open(project_path) as project, pytest.raises(UserError, match=r"0001\.npy cannot be read"):
        project.image(1)


@pytest.fixture
def with_files(tmp_path: Path) -> Path:
    """A folder with images, and a project of them beside it."""
    images = tmp_path / "data" / "images"
    images.mkdir(parents=True)
    source = batch(4)
    for i, image in enumerate(source.pixels):
        cv2.imwrite(str(images / f"{i}.png"), image)
    paths = tuple(images / f"{i}.png" for i in range(4))
    with Project.create(tmp_path / "data" / "a.fkp", KAGGLE_15) as project:
        project.add_samples(batch(4, paths=paths))
    return tmp_path / "data"


def test_image_files_are_found_after_the_tree_moved(with_files: Path, tmp_path: Path) -> None:
    with_files.rename(tmp_path / "moved")
    with Project.open(tmp_path / "moved" / "a.fkp") as project:
        assert project.sample(2).path == tmp_path / "moved" / "images" / "1.png"
        assert np.array_equal(project.image(2)[..., 0], batch(4).pixels[1])
        assert project.image(2).shape == (96, 96, 3)
        assert np.array_equal(project.image(2, channels=1), batch(4).pixels[1])


def test_image_files_are_found_after_only_the_project_moved(with_files: Path, tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    shutil.move(with_files / "a.fkp", tmp_path / "x" / "y" / "a.fkp")
    with Project.open(tmp_path / "x" / "y" / "a.fkp") as project:
        assert project.image(1, channels=1).shape == (96, 96)


def test_a_vanished_image_is_named_and_the_rest_works(with_files: Path) -> None:
    (with_files / "images" / "2.png").unlink()
    with Project.open(with_files / "a.fkp") as project:
        with pytest.raises(UserError, match=r"2\.png"):
            project.image(3)
        with pytest.raises(UserError, match=r"2\.png"):
            project.images(project.ids(), size=32)
        assert project.image(4).shape == (96, 96, 3)
        assert project.labels(project.ids()).states.shape == (4, 15)


def test_two_programs_at_once(project_path: Path) -> None:
    with Project.open(project_path) as one, Project.open(project_path, busy_ms=50) as two:
        version = two.database.data_version()
        before = one.labels([1])
        with one.database.transaction():
            one.write_labels([1], moved(before))
            assert two.labels([1]).same_as(before)  # readers never wait
            with pytest.raises(UserError, match="Another program is currently writing"):
                two.write_labels([2], two.labels([2]))
        assert two.labels([1]).same_as(moved(before))
        assert two.database.data_version() != version
        two.write_labels([2], moved(two.labels([2])))
        assert one.labels([2]).same_as(two.labels([2]))


def test_splits_groups_and_schema(project_path: Path) -> None:
    with Project.open(project_path) as project:
        project.set_splits([3, 1], np.array([2, 1]))
        project.set_groups([3], ["twins"])
        assert project.index().splits[:4].tolist() == [1, 0, 2, 1]
        assert project.sample(3).group == "twins"
        with pytest.raises(UserError, match="15 keypoints, the new schema 68"):
            project.set_schema(IBUG_68)


def test_a_large_index(tmp_path: Path) -> None:
    """200,000 samples: every column is correct, also across chunks."""
    count = 200_000
    with Project.create(tmp_path / "a.fkp", KAGGLE_15) as project:
        with project.importing("large") as importing:
            for first in range(0, count, 50_000):
                part = batch(
                    50_000, first=first, paths=tuple(Path("/pictures") / f"{first + i}.png" for i in range(50_000))
                )
                importing.add_samples(part)
        index = project.index()
        assert len(index) == count
        assert index.ids[[0, -1]].tolist() == [1, count]
        labels = project.labels([150_001, 3])
        changed = labels.copy()
        changed.states[:] = 0
        changed.points[:] = np.nan
        project.write_labels([150_001, 3], changed)
        now = project.index()
    assert np.flatnonzero(now.missing != index.missing).tolist() == [2, 150_000]
    assert now.missing[[2, 150_000]].tolist() == [15, 15]
    assert np.array_equal(now.splits, np.tile(np.arange(50_000) % 3, 4))
