"""Faces in larger images: 300-W's folders, boxes, crops, visibility; read, cropped, written, read back."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.face_photos import ALL_300W, BY_BOX, BY_POINTS, boxed_table, face_points, photo, pts_text, tree_300w
from tests.helpers.label_files import all_labels, sentence_of, write_image, write_rows
from training.errors import UserError
from training.faces.images.crops import CropOptions
from training.faces.labels.labels import PointState
from training.faces.labels.samples import FLAG_OUTSIDE, Split
from training.faces.labels.schema import AFLW_19, COFW_29, KAGGLE_15, SCHEMAS, KeypointSchema
from training.sources.exchange.export_project import export_project
from training.sources.exchange.import_source import detect_format, import_source, preview
from training.sources.formats.pts.layout_300w import place_of
from training.storage.project.project import Project

# 300-W's folders


@pytest.mark.parametrize(
    ("folders", "part", "split"),
    [
        (("300W", "LFPW", "TrainSet"), "lfpw/trainset", Split.TRAIN),
        (("lfpw", "lfpw", "testset", "png"), "lfpw/testset", Split.TEST),
        (("Helen", "train_1", "train"), "helen/trainset", Split.TRAIN),
        (("datasets", "ibug"), "ibug", Split.TEST),
        (("AFW",), "afw", Split.TRAIN),
        (("val", "AFW"), "afw", Split.VAL),
    ],
)
def test_folders_of_300_w_in_any_case_and_depth(folders: tuple[str, ...], part: str, split: Split) -> None:
    place = place_of(folders)
    assert place is not None and (place.part, place.split) == (part, split)


@pytest.mark.parametrize("folders", [("helen",), ("train", "cats"), ("ibug_300W_large",), ()])
def test_other_folders_are_none_of_300_w(folders: tuple[str, ...]) -> None:
    assert place_of(folders) is None


def test_300_w_is_split_by_its_protocol(tmp_path: Path) -> None:
    source = tree_300w(tmp_path / "300W", ALL_300W)
    assert detect_format(source) == "300-w"
    report = import_source(source, tmp_path / "p.fkp", crop=BY_POINTS)
    assert (report.train + report.val, report.test) == (10, 6) and report.val >= 1
    with Project.open(tmp_path / "p.fkp") as project:
        parts = dict(zip(project.names(), project.faces().subsets, strict=True))
        assert parts["x/ibug/0.JPG"] == "ibug" and parts["data/AFW/1.JPG"] == "afw"
        test = [n for n, s in zip(project.names(), project.index().splits.tolist(), strict=True) if s == Split.TEST]
        assert len(test) == 6 and all("test" in n or "ibug" in n for n in test)
        assert project.schema.name == "ibug-68"


def test_missing_folders_of_300_w_are_told(tmp_path: Path) -> None:
    source = tree_300w(tmp_path / "in", {"lfpw/trainset": 4, "helen/testset": 2, "others": 1})
    report = import_source(source, tmp_path / "p.fkp")
    assert report.count == 7
    assert any("missing: afw, helen/trainset, lfpw/testset, ibug" in note for note in report.notes)
    assert any("common and challenge and full" in note for note in report.notes)
    assert any(note.startswith("1 images are in none") for note in report.notes)


def test_another_count_of_points_in_300_w_is_named(tmp_path: Path) -> None:
    source = tree_300w(tmp_path / "in", {"lfpw/trainset": 3, "afw": 1})
    (source / "afw" / "0.pts").write_text(pts_text(face_points(0, keypoints=29)))
    with pytest.raises(UserError, match=r"0\.pts: there are 29 points, where 68 are expected"):
        import_source(source, tmp_path / "p.fkp")


def test_300_w_written_as_pts_comes_back_with_its_split_and_its_bytes(tmp_path: Path) -> None:
    source = tree_300w(tmp_path / "in", ALL_300W)
    labels = source / "data/AFW/1.pts"
    labels.write_text(labels.read_text().replace("36.0 41.0", "36.000 4.1e1"))
    assert "36.000 4.1e1" in labels.read_text()
    import_source(source, tmp_path / "a.fkp", crop=BY_POINTS)
    with Project.open(tmp_path / "a.fkp") as a:
        export_project(a, tmp_path / "out", format="pts")
        import_source(tmp_path / "out", tmp_path / "b.fkp", crop=BY_POINTS)
        with Project.open(tmp_path / "b.fkp") as b:
            kept = {
                n.split("/", 1)[-1] if n.startswith(("train/", "val/", "test/")) else n: i
                for i, n in enumerate(b.names())
            }
            order = [kept[n] for n in a.names()]
            assert (b.index().splits[order] == a.index().splits).all()
            assert [b.faces().subsets[i] for i in order] == list(a.faces().subsets)
            assert all_labels(b)[order].same_as(all_labels(a))
    written = {p.read_bytes() for p in (tmp_path / "out").rglob("*.pts")}
    assert written == {p.read_bytes() for p in source.rglob("*.pts")}


# tables of faces


@pytest.mark.parametrize("corners", [False, True])
def test_several_faces_of_a_photo_are_cut_out_by_their_boxes(tmp_path: Path, corners: bool) -> None:
    table = boxed_table(tmp_path / "in", corners=corners)
    report = import_source(table, tmp_path / "p.fkp", crop=BY_BOX)
    assert (report.count, report.left_out) == (5, ())
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.schema is not None and project.schema == AFLW_19
        assert project.names() == ["0.png", "0#2.png", "1.png", "1#2.png", "2.png"]
        faces = project.faces()
        assert faces.boxes[1].tolist() == [35, 30, 20, 20] and faces.crops[1].tolist() == [30, 25, 30]
        assert faces.subsets == ("", "frontal", "", "frontal", "")
        splits = project.index().splits
        assert splits[0] == splits[1] and splits[2] == splits[3] and splits[4] == Split.TEST
        first = face_points(1, keypoints=19, corner=(35, 30), span=18).round(3) - [30, 25]
        assert np.allclose(project.labels([2]).points[0], first)
        assert project.image(2).shape == (30, 30, 3)


def test_a_photo_in_two_rows_asks_for_crops(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"row 2 \(line 3\), column filename: 0.png is in row 1 already.*--crop box"):
        import_source(boxed_table(tmp_path / "in"), tmp_path / "p.fkp")


def test_boxes_at_fault_are_left_out_with_their_row(tmp_path: Path) -> None:
    table = boxed_table(tmp_path / "in")
    lines = [line.split(",") for line in table.read_text().splitlines()]
    lines[1][1:5] = ["200", "10", "20", "20"]
    lines[2][1:5] = ["5", "5", "0", "20"]
    lines[3][1:5] = ["5", "5", "9999", "20"]
    write_rows(table, lines[1:], header=lines[0])
    report = import_source(table, tmp_path / "p.fkp", crop=BY_BOX)
    said = [str(problem) for problem in report.left_out]
    assert report.count == 2 and len(said) == 3
    assert said[0].startswith(
        "faces.csv, row 1: skipped: the box at (200, 10) of 20 x 20 pixels lies outside the image"
    )
    assert "row 2: skipped: the box at (5, 5) of 0 x 20 pixels has no area" in said[1]
    assert "row 3" in said[2] and "too large" in said[2]


@pytest.mark.parametrize(
    ("column", "text", "words"),
    [
        (1, "left", "row 2 (line 3), column FACE_X: 'left' is not a number"),
        (3, "", "row 2 (line 3), column FACE_WIDTH: a part of the box is missing"),
        (6, "perhaps", "row 2 (line 3), column frontal: 'perhaps' says neither yes nor no"),
        (45, "seen", "row 2 (line 3), column leftbrowleftcorner_visible: 'seen' is not a flag; write 1 or 0"),
    ],
)
def test_faults_in_a_table_of_faces_are_named(tmp_path: Path, column: int, text: str, words: str) -> None:
    table = boxed_table(tmp_path / "in", flags=True)
    lines = [line.split(",") for line in table.read_text().splitlines()]
    lines[2][column] = text
    write_rows(table, lines[1:], header=lines[0])
    with pytest.raises(UserError) as caught:
        import_source(table, tmp_path / "p.fkp", crop=BY_BOX)
    assert words in sentence_of(caught.value) and not (tmp_path / "p.fkp").exists()


def test_what_cannot_be_cropped_is_said(tmp_path: Path) -> None:
    source = tree_300w(tmp_path / "in", {"lfpw/trainset": 2, "afw": 1})
    with pytest.raises(UserError, match=r"no columns with the faces' boxes \(box_x"):
        import_source(source, tmp_path / "p.fkp", crop=BY_BOX)
    (source / "afw" / "0.pts").unlink()
    report = import_source(source, tmp_path / "p.fkp", crop=BY_POINTS)
    assert report.count == 2 and "neither a box nor a point" in str(report.left_out[0])
    for by, padding in (("face", 0.2), ("box", -0.1), ("box", 9.0)):
        with pytest.raises(UserError):
            CropOptions(by, padding)


def test_points_outside_a_tight_crop_are_flagged_and_small_faces_told(tmp_path: Path) -> None:
    table = boxed_table(tmp_path / "in")
    report = import_source(table, tmp_path / "p.fkp", crop=CropOptions("box", 0.0))
    assert report.count == 5
    lines = [line.split(",") for line in table.read_text().splitlines()]
    lines[1][3:5] = ["10", "10"]
    write_rows(table, lines[1:], header=lines[0])
    report = import_source(table, tmp_path / "q.fkp", crop=CropOptions("box", 0.0))
    assert any(note.startswith("1 faces have points outside their crop") for note in report.notes)
    with Project.open(tmp_path / "q.fkp") as project:
        assert project.sample(1).flags == (FLAG_OUTSIDE,) and project.sample(2).flags == ()
    one = write_rows(tmp_path / "in" / "one.csv", [lines[5]], header=lines[0])
    report = import_source(one, tmp_path / "r.fkp")
    assert any("about 32 % of their images' sides; import with --crop points" in note for note in report.notes)
    assert preview(one).small and not preview(one, crop=BY_BOX).small


# visibility


def visibility_table(folder: Path, flags: list[str], *, column: str = "vis{}", points: int = 29) -> Path:
    """One image with numbered points and flags for the first ones."""
    write_image(folder / "a.png", photo(3))
    header = [
        "image",
        *(f"{a}{k}" for k in range(1, points + 1) for a in "xy"),
        *(column.format(k + 1) for k in range(len(flags))),
    ]
    cells = [f"{v:.2f}" for v in face_points(4, keypoints=points).ravel()]
    return write_rows(folder / "labels.csv", [["a.png", *cells, *flags]], header=header)


@pytest.mark.parametrize(
    ("column", "flags"), [("occ{}", ["1", "0"]), ("vis{}", ["0", "1"]), ("v_{}", ["False", "TRUE"])]
)
def test_flags_tell_occluded_points_of_cofw(tmp_path: Path, column: str, flags: list[str]) -> None:
    import_source(visibility_table(tmp_path / "in", flags, column=column), tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.schema == COFW_29
        states = project.labels([1]).states[0].tolist()
        assert states == [PointState.OCCLUDED] + [PointState.VISIBLE] * 28
        report = export_project(project, tmp_path / "in" / "plain.csv", format="csv")
        assert report.notes == ("1 points are occluded or absent, which a table without states cannot show.",)
        export_project(project, tmp_path / "in" / "out.csv", format="csv", states=True)
    import_source(tmp_path / "in" / "out.csv", tmp_path / "q.fkp")
    with Project.open(tmp_path / "q.fkp") as project:
        assert project.labels([1]).states[0].tolist() == states


def test_a_hidden_point_at_the_placeholder_is_unset(tmp_path: Path) -> None:
    table = visibility_table(tmp_path / "in", ["0", "0", "1"])
    lines = [line.split(",") for line in table.read_text().splitlines()]
    lines[1][1:3], lines[1][3:5] = ["0", "0"], ["", ""]
    write_rows(table, lines[1:], header=lines[0])
    import_source(table, tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.labels([1]).states[0, :3].tolist() == [PointState.UNSET, PointState.UNSET, PointState.VISIBLE]


# every schema there and back


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@pytest.mark.parametrize("kind", ["csv", "pts"])
def test_each_schema_comes_back_from_each_format(tmp_path: Path, schema: KeypointSchema, kind: str) -> None:
    rows = []
    for i in range(3):
        write_image(tmp_path / "in" / f"{i}.png", photo(i))
        rows.append([f"{i}.png", *(f"{v:.3f}" for v in face_points(i, keypoints=len(schema)).ravel())])
    import_source(
        write_rows(tmp_path / "in" / "labels.csv", rows, header=["image", *schema.columns]), tmp_path / "a.fkp"
    )
    out = tmp_path / "in" / "out.csv" if kind == "csv" else tmp_path / "out"
    with Project.open(tmp_path / "a.fkp") as a:
        assert a.schema == schema
        export_project(a, out, format=kind)
        import_source(out, tmp_path / "b.fkp")
        with Project.open(tmp_path / "b.fkp") as b:
            assert b.schema == schema
            order = np.argsort([n.rpartition("/")[2] for n in b.names()])
            assert np.allclose(all_labels(b).points[order], all_labels(a).points, atol=1e-9, rtol=0)
            assert (all_labels(b).states[order] == all_labels(a).states).all()


def test_a_damaged_list_of_keypoints_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_image(folder / "0.png", photo(0))
    (folder / "0.pts").write_text(pts_text(face_points(0, keypoints=15)))
    (folder / "keypoints.json").write_text('{"name": 1')
    with pytest.raises(UserError, match=r"keypoints.json: this is not a list of keypoints"):
        import_source(folder, tmp_path / "p.fkp")
    (folder / "keypoints.json").unlink()
    import_source(folder, tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.schema.name == "custom" and project.schema != KAGGLE_15


# leftovers of exports


def test_an_export_sweeps_old_parts_and_leaves_other_images(tmp_path: Path, make_pixels: Path) -> None:
    import os

    stale, fresh = tmp_path / ".out.csv.abcdefgh.part", tmp_path / ".out.csv.ijklmnop.part"
    stale.write_text("half")
    fresh.write_text("half")
    os.utime(stale, (1, 1))
    folder = tmp_path / ".out.12345678.part"
    (folder / "train").mkdir(parents=True)
    for path in (folder / "train", folder):
        os.utime(path, (1, 1))
    with Project.open(make_pixels) as project:
        export_project(project, tmp_path / "out.csv", format="csv")
        export_project(project, tmp_path / "out.csv", format="csv")  # the same images may be there
        export_project(project, tmp_path / "out", format="pts")
        assert not stale.exists() and fresh.exists() and not folder.exists()
        images = tmp_path / "out_images"
        names = sorted(p.name for p in images.iterdir())
        (images / names[-1]).write_bytes(b"mine")
        shutil.copytree(images, tmp_path / "new_images")
        for name in names[:-1]:
            (tmp_path / "new_images" / name).unlink()
        with pytest.raises(UserError, match="another image has this name"):
            export_project(project, tmp_path / "new.csv", format="csv")
    assert (tmp_path / "new_images" / names[-1]).read_bytes() == b"mine"
    assert [p.name for p in (tmp_path / "new_images").iterdir()] == [names[-1]] and not (tmp_path / "new.csv").exists()


@pytest.fixture
def make_pixels(tmp_path: Path) -> Path:
    """A project imported from images as text."""
    from tests.helpers.label_files import training_csv

    import_source(training_csv(tmp_path, 4), tmp_path / "k.fkp")
    return tmp_path / "k.fkp"
