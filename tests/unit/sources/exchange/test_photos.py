"""Photos: faces detected, cropped and counted; and a box drawn by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.photos import jpeg, photo, write_starter
from training import cli
from training.assist.filling.accept import accept
from training.errors import UserError
from training.faces.images.face_detector import ROOM, FaceDetector
from training.faces.labels.labels import Labels
from training.faces.labels.schema import IBUG_68
from training.sources.exchange.export_project import export_project
from training.sources.exchange.import_source import import_source
from training.storage.project.edits.add_face import add_face
from training.storage.project.edits.change import change_labels
from training.storage.project.edits.crop_again import crop_again, photo_of
from training.storage.project.edits.move import move_to_split
from training.storage.project.edits.remove import put_back, remove
from training.storage.project.edits.undo import redo, undo
from training.storage.project.journal import read_steps
from training.storage.project.project import Project
from training.storage.project.tables.imports import read_imports
from training.storage.project.tables.predictions import predicted_ids
from training.storage.runs.model.starters import room_for
from training.storage.runs.run import starters_folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a.jpg with two faces, b.jpg with one and rotated by EXIF, wall.png without, text.jpg that is no image."""
    folder = tmp_path_factory.mktemp("photos")
    jpeg(folder / "a.jpg", photo([0, 2])[0])
    jpeg(folder / "b.jpg", photo([9])[0], orientation=6)
    cv2.imwrite(str(folder / "wall.png"), np.full((90, 120), 200, np.uint8))
    (folder / "text.jpg").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def imported(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    path = tmp_path_factory.mktemp("made") / "p.fkp"
    return path, list(import_source(photos, path, faces="detect").notes)


@pytest.fixture
def project(imported: tuple[Path, list[str]]) -> Project:
    with Project.open(imported[0]) as opened:
        yield opened


def test_each_face_of_a_photo_is_a_sample(project: Project) -> None:
    assert sorted(project.names()) == ["a#2.jpg", "a.jpg", "b.jpg", "wall.png"]
    points = {"a": photo([0, 2])[1], "b": photo([9])[1]}
    faces = project.faces()
    seen = []
    for row, name in enumerate(project.names()):
        if name == "wall.png":
            continue
        x, y, side = faces.crops[row]
        inside = [((p >= (x, y)) & (p <= (x + side - 1, y + side - 1))).all() for p in points[name[0]]]
        assert sum(inside) == 1, "all points of one face, upright, and of no other"
        seen.append((name[0], inside.index(True)))
        assert project.image(row + 1, channels=1).shape == (side, side)
        assert (project.sample(row + 1).width, project.sample(row + 1).height) == (side, side)
    assert sorted(seen) == [("a", 0), ("a", 1), ("b", 0)]


def test_faces_of_one_photo_stay_in_one_split(project: Project) -> None:
    groups, names = project.groups(), project.names()
    assert groups[names.index("a.jpg")] == groups[names.index("a#2.jpg")] != ""


def test_a_photo_without_a_face_stays_whole_and_is_told(project: Project, imported: tuple[Path, list[str]]) -> None:
    wall = project.sample(project.names().index("wall.png") + 1)
    assert (wall.width, wall.height, wall.flags) == (120, 90, ("no_face",))
    assert "3 faces detected in 3 images." in imported[1]
    assert any(note.startswith("1 image without a detected face") and "draw a box" in note for note in imported[1])
    assert "text.jpg" in read_imports(project.database)[0].problems[0]


def test_by_default_images_stay_whole(photos: Path, tmp_path: Path) -> None:
    import_source(photos, tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as whole:
        assert whole.names() == ["a.jpg", "b.jpg", "wall.png"] and not whole.faces().crops.any()


def test_faces_are_not_looked_for_where_labels_say_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_text("version: 1\nn_points: 2\n{\n1 1\n5 5\n}\n")
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9), np.uint8))
    with pytest.raises(UserError, match="images without labels"):
        import_source(tmp_path, tmp_path / "p.fkp", faces="detect")
    assert not (tmp_path / "p.fkp").exists()


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (27, 400), (3000, 4)])
def test_odd_images_have_no_faces(shape: tuple[int, int]) -> None:
    assert FaceDetector().find(np.random.default_rng(0).integers(0, 255, shape, np.uint8)).shape == (0, 4)


def test_a_image_that_a_face_fills_stays_whole(tmp_path: Path) -> None:
    image, points = photo([0])
    low, high = points[0].min(axis=0), points[0].max(axis=0)
    (x, y), side = (low + high) / 2 - (45, 38), 90
    (tmp_path / "in").mkdir()
    cv2.imwrite(
        str(tmp_path / "in" / "a.png"), cv2.resize(image[int(y) : int(y) + side, int(x) : int(x) + side], (180, 180))
    )
    import_source(tmp_path / "in", tmp_path / "p.fkp", faces="detect")
    with Project.open(tmp_path / "p.fkp") as made:
        assert len(made) == 1 and not made.faces().crops.any()


def test_a_drawn_box_moves_the_crop_and_leaves_labels_in_their_place(project: Project) -> None:
    number = project.names().index("a.jpg") + 1
    place = np.array([100.0, 80.0])
    labels = Labels.from_points(np.full((1, 15, 2), np.nan))
    labels = Labels.from_points(
        np.where(np.arange(15)[None, :, None] == 3, place - project.faces([number]).crops[0, :2], np.nan)
    )
    change_labels(project, [number], lambda _: labels, text="place")
    project.write_predictions("0001-x", [number], np.zeros((1, 15, 2)), np.ones((1, 15)))
    before, own = project.faces([number]), project.labels([number])
    done = crop_again(project, number, np.array([60.0, 40, 50, 70]), photo=(380, 240), room=ROOM)
    after = project.faces([number])
    assert after.crops[0].tolist() == [85 - 45, 75 - 45, 91], "70 px and 15 % of them on each side, about (85, 75)"
    assert np.allclose(project.labels([number]).points[0, 3] + after.crops[0, :2], place)
    assert (project.sample(number).width, project.index().widths[number - 1]) == (91, 91)
    assert not len(predicted_ids(project.database, "0001-x")), "the predictions were of another image"
    assert photo_of(project, number).crop == tuple(after.crops[0])
    undo(project, done.step)
    assert np.array_equal(project.faces([number]).crops, before.crops) and project.labels([number]).same_as(own)
    redo(project, done.step)
    assert np.array_equal(project.faces([number]).crops, after.crops)
    undo(project, done.step)


def test_a_box_round_the_face_unflags_a_whole_image(project: Project) -> None:
    number = project.names().index("wall.png") + 1
    done = crop_again(project, number, np.array([10.0, 10, 40, 40]), photo=(120, 90), room=ROOM)
    assert project.sample(number).flags == () and not project.index().flagged[number - 1]
    undo(project, done.step)
    assert project.sample(number).flags == ("no_face",) and not project.faces([number]).crops.any()
    with pytest.raises(UserError, match="outside the image"):
        crop_again(project, number, np.array([500.0, 10, 40, 40]), photo=(120, 90), room=ROOM)


def test_the_room_for_68_points_is_what_their_starter_expects() -> None:
    assert room_for(IBUG_68) == 0.15
    write_starter(starters_folder(), IBUG_68)
    span = np.ptp(np.array(IBUG_68.template) * 20, axis=0).max()
    assert room_for(IBUG_68) == pytest.approx((32 / span - 1) / 2)


def test_predict_writes_a_row_a_face_with_its_box(photos: Path, tmp_path: Path) -> None:
    model = write_starter(tmp_path / "models")
    words = ["predict", photos, "--faces", "detect", "--model", model, "--out", tmp_path / "out.csv"]
    assert cli.main([str(word) for word in words]) == 0
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["face"]) for row in rows] == [
        ("a.jpg", "a.jpg"),
        ("a.jpg", "a#2.jpg"),
        ("b.jpg", "b.jpg"),
    ]
    for row in rows:
        box = [float(row[f"box_{part}"]) for part in "xywh"]
        nose = float(row["nose_tip_x"]), float(row["nose_tip_y"])
        assert box[0] < nose[0] < box[0] + box[2] and box[1] < nose[1] < box[1] + box[3]


def test_an_import_says_which_keypoints(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["import", photos, tmp_path / "p.fkp", "--keypoints", "ibug-68"]
    assert cli.main([str(word) for word in words]) == 0
    with Project.open(tmp_path / "p.fkp") as made:
        assert made.schema == IBUG_68
    assert cli.main([str(word) for word in [*words[:-1], "faces"]]) == 2
    assert "ibug-68" in capsys.readouterr().err


def numbers(project: Project) -> tuple[list[str], list[int]]:
    return [project.names()[i - 1] for i in project.kept_ids()], project.index().splits.tolist()


def test_a_face_that_was_missed_is_added_to_its_photo(photos: Path, tmp_path: Path) -> None:
    import_source(photos, tmp_path / "p.fkp", faces="detect")
    with Project.open(tmp_path / "p.fkp") as project:
        was, imports, labels = numbers(project), read_imports(project.database), project.label_hash()
        alone = was[0].index("b.jpg") + 1
        done = add_face(project, alone, np.array([5.0, 10, 40, 50]), photo=(220, 240), room=ROOM)
        number = int(done.ids[0])
        sample = project.sample(number)
        assert (number, sample.name, sample.path, sample.width) == (5, "b#2.jpg", photos / "b.jpg", 65)
        assert project.faces([number]).crops[0].tolist() == [-8, 2, 65]
        assert sample.group == project.sample(alone).group != "" and sample.split == project.sample(alone).split
        assert len(read_imports(project.database)) == len(imports) and read_imports(project.database)[0].count == 5
        assert project.label_hash() != labels
        undo(project, done.step)
        assert numbers(project)[0] == was[0] and project.sample(number).split == "removed"
        assert project.label_hash() == labels, "a run is as fresh as it was"
        redo(project, done.step)
        assert numbers(project)[0] == [*was[0], "b#2.jpg"]
        with pytest.raises(UserError, match="already in the project"):
            add_face(project, alone, np.array([6.0, 11, 40, 50]), photo=(220, 240), room=ROOM)
        with pytest.raises(UserError, match="outside the image"):
            add_face(project, alone, np.array([600.0, 11, 40, 50]), photo=(220, 240), room=ROOM)
        assert len(project) == 5
    assert import_source(photos, tmp_path / "p.fkp", faces="detect").count == 0


def test_the_first_face_of_a_photo_without_any_becomes_its_sample(photos: Path, tmp_path: Path) -> None:
    import_source(photos, tmp_path / "p.fkp", faces="detect")
    with Project.open(tmp_path / "p.fkp") as project:
        wall = project.names().index("wall.png") + 1
        assert add_face(project, wall, np.array([10.0, 10, 40, 40]), photo=(120, 90), room=ROOM).ids.tolist() == [wall]
        assert add_face(project, wall, np.array([70.0, 20, 40, 40]), photo=(120, 90), room=ROOM).ids.tolist() == [5]
        assert project.names()[4] == "wall#2.png" and photo_of(project, wall).others == ((64, 14, 52),)


def test_a_removed_face_is_in_nothing_until_it_is_put_back(photos: Path, tmp_path: Path) -> None:
    import_source(photos, tmp_path / "p.fkp", faces="detect")
    with Project.open(tmp_path / "p.fkp") as project:
        names, splits = numbers(project)
        first, second = names.index("a.jpg") + 1, names.index("a#2.jpg") + 1
        project.write_predictions("0001-x", [1, 2, 3, 4], np.ones((4, 15, 2)), np.ones((4, 15)))
        done = remove(project, np.array([second]))
        assert "a#2.jpg" not in numbers(project)[0] and len(project) == 4
        assert not photo_of(project, first).others
        wall = names.index("wall.png") + 1
        assert accept(project, "0001-x").ids.tolist() == sorted({1, 2, 3, 4} - {second, wall}), (
            "no face was detected on the wall"
        )
        assert accept(project, "0001-x", np.array([wall])).points == 15, "a person may say so"
        move_to_split(project, [first], 2)
        assert project.sample(second).split == "removed", "it does not come along"
        assert export_names(project, tmp_path / "out.csv") == sorted({"a.jpg", "b.jpg", "wall.png"})
        written = export_project(project, tmp_path / "pts", format="pts")
        assert written.count == 3 and not any("left out" in note for note in written.notes)
        put_back(project, np.array([first, second]))
        assert project.sample(second).split == "test", "with the others of its photo"
        for step in [step.id for step in reversed(read_steps(project.database))]:
            undo(project, step)
        assert project.index().splits.tolist() == splits and done.step == read_steps(project.database)[0].id
        assert remove(project, np.array([], np.int64)).step is None


def export_names(project: Project, out: Path) -> list[str]:
    export_project(project, out, format="csv")
    with out.open() as file:
        return sorted(row["image"] for row in csv.DictReader(file))
