"""Two sources in one project: equal file names, the same folder again, more faces of a photo from a table of boxes."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.photos import jpeg, photo
from training import cli
from training.errors import UserError
from training.faces.labels.labels import Labels
from training.sources.exchange.import_source import import_source
from training.storage.project.edits.change import change_labels
from training.storage.project.project import Project
from training.storage.project.tables.imports import read_imports


def images(folder: Path, names: list[str], *, seed: int) -> Path:
    """Write small, distinct images of noise."""
    random = np.random.default_rng(seed)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), random.integers(0, 255, (24, 24), np.uint8))
    return folder


def names(path: Path) -> list[str]:
    with Project.open(path, read_only=True) as project:
        return project.names()


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two folders with images of the same names, and a project of both."""
    first = images(tmp_path / "monday", ["00000.png", "00001.png"], seed=1)
    second = images(tmp_path / "tuesday", ["00000.png", "extra.png"], seed=2)
    import_source(first, tmp_path / "p.fkp")
    import_source(second, tmp_path / "p.fkp")
    return first, second, tmp_path / "p.fkp"


def test_two_folders_with_the_same_file_names(two: tuple[Path, Path, Path]) -> None:
    first, second, path = two
    assert names(path) == ["00000.png", "00001.png", "tuesday/00000.png", "tuesday/extra.png"]
    with Project.open(path) as project:
        assert project.sample(3).path == second / "00000.png"
        assert np.array_equal(project.image(3, channels=1), cv2.imread(str(second / "00000.png"), 0))
        assert np.array_equal(project.image(1, channels=1), cv2.imread(str(first / "00000.png"), 0))


def test_folders_of_the_same_name_tell_the_one_above_too(two: tuple[Path, Path, Path], tmp_path: Path) -> None:
    report = import_source(images(tmp_path / "more" / "tuesday", ["00000.png"], seed=3), two[2])
    assert names(two[2])[4:] == ["more/tuesday/00000.png"]
    assert any("begin with more/tuesday/" in note for note in report.notes)


def test_a_folder_again_adds_what_is_new_and_leaves_labels(two: tuple[Path, Path, Path]) -> None:
    first, second, path = two
    labels = Labels.from_points(np.arange(30.0).reshape(1, 15, 2) / 2)
    with Project.open(path) as project:
        change_labels(project, [3], lambda _: labels, text="place")
        imports = len(read_imports(project.database))
    for folder in (first, second):
        report = import_source(folder, path)
        assert report.count == 0 and report.notes == (
            "2 images that the project already has are unchanged, with their labels.",
        )
    images(second, ["00001.png", "new.png"], seed=4)
    link = path.parent / "link"
    link.symlink_to(second)
    assert import_source(link, path).count == 2
    assert names(path)[4:] == ["link/00001.png", "link/new.png"]
    with Project.open(path) as project:
        assert project.labels([3]).same_as(labels) and len(read_imports(project.database)) == imports + 1


def test_a_project_that_moved_with_its_images_knows_them(two: tuple[Path, Path, Path], tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    for part in two:
        shutil.move(part, tmp_path / "moved" / part.name)
    assert import_source(tmp_path / "moved" / "tuesday", tmp_path / "moved" / "p.fkp").count == 0


def test_the_command_says_what_is_there(two: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["import", str(two[1]), str(two[2])]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("0 samples imported") and "2 images that the project already has" in said.err


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A project of one photo with two faces, only one of them detected."""
    (tmp_path / "in").mkdir()
    image, _ = photo([0, 2])
    image[:, 200:] = 128
    jpeg(tmp_path / "in" / "a.jpg", image)
    jpeg(tmp_path / "in" / "b.jpg", photo([9])[0])
    import_source(tmp_path / "in", tmp_path / "p.fkp", faces="detect")
    assert names(tmp_path / "p.fkp") == ["a.jpg", "b.jpg"]
    return tmp_path / "p.fkp"


def test_faces_are_not_looked_for_in_photos_that_are_there(people: Path) -> None:
    report = import_source(people.parent / "in", people, faces="detect")
    assert report.count == 0 and len(names(people)) == 2


def test_boxes_of_a_table_add_the_faces_that_were_missed(people: Path) -> None:
    with Project.open(people) as project:
        found = project.faces([1]).boxes[0].tolist()
    table = people.parent / "in" / "boxes.csv"
    rows = [("a.jpg", *found), ("a.jpg", 220, 70, 80, 90), ("b.jpg", 5, 5, 30, 30)]
    table.write_text("image,box_x,box_y,box_w,box_h\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    words = ["import", table, people]
    assert cli.main([str(word) for word in words]) == 0
    assert names(people) == ["a.jpg", "b.jpg", "a#2.jpg", "b#2.jpg"]
    with Project.open(people) as project:
        groups, splits = project.groups(), project.index().splits
        assert groups[0] == groups[2] != "" and groups[1] == groups[3] != groups[0]
        assert splits[0] == splits[2] and splits[1] == splits[3]
        x, y, side = project.faces([3]).crops[0].tolist()
        assert (x + side / 2, y + side / 2) == pytest.approx((260, 115), abs=1)
    assert cli.main([str(word) for word in words]) == 0 and len(names(people)) == 4


def test_a_face_of_a_image_that_is_there_as_a_whole_is_there(two: tuple[Path, Path, Path]) -> None:
    first, _, path = two
    (first / "boxes.csv").write_text("image,box_x,box_y,box_w,box_h\n00000.png,4,4,12,12\n")
    assert import_source(first, path).count == 0


def test_a_table_without_points_or_boxes_is_refused(people: Path) -> None:
    table = people.parent / "in" / "boxes.csv"
    table.write_text("image,age\na.jpg,4\n")
    with pytest.raises(UserError, match="the keypoint columns"):
        import_source(table, people)
