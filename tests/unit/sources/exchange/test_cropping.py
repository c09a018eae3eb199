"""Faces cropped from their images, and tables with the crops; written and read back."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.face_photos import ALL_300W, BY_BOX, BY_POINTS, boxed_table, face_points, photo, pts_text, tree_300w
from tests.helpers.label_files import all_labels, sentence_of, textures, write_image, write_rows
from training.errors import UserError
from training.faces.images.crops import box_of_points, cut, square_crop
from training.faces.images.reading import read_image, resize_image
from training.faces.labels.labels import Origin
from training.sources.exchange.export_project import export_project
from training.sources.exchange.import_source import import_source
from training.sources.formats.pts.text import read_pts
from training.storage.project.edits.change import change_labels
from training.storage.project.project import Project


def test_a_square_with_room_about_a_box() -> None:
    assert square_crop(np.array([10, 20, 30, 40]), 0.25) == (10 + 15 - 30, 20 + 20 - 30, 60)
    assert square_crop(np.array([0, 0, 8, 8]), 0) == (0, 0, 8)
    points = np.array([[[2.0, 3.0], [5.0, 9.0], [np.nan, np.nan]], [[np.nan, np.nan]] * 3])
    boxes = box_of_points(points)
    assert boxes[0].tolist() == [2, 3, 4, 7] and np.isnan(boxes[1]).all()


def test_a_crop_over_the_border_repeats_it() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert cut(image, (1, 1, 2)).tolist() == [[5, 6], [9, 10]]
    assert cut(image, (-1, -1, 3)).tolist() == [[0, 0, 1], [0, 0, 1], [4, 4, 5]]
    assert cut(image, (3, 2, 2)).tolist() == [[11, 11], [11, 11]]
    colour = np.repeat(image[..., None], 3, axis=2)
    assert cut(colour, (-2, 0, 3)).shape == (3, 3, 3)


def test_crops_by_points_keep_pixels_colours_and_points(tmp_path: Path) -> None:
    source = tree_300w(tmp_path / "in", ALL_300W)
    import_source(source, tmp_path / "p.fkp", crop=BY_POINTS)
    with Project.open(tmp_path / "p.fkp") as project:
        sample = project.sample(1)
        x, y, side = project.faces([1]).crops[0].tolist()
        assert side == round(21 * 1.5) == sample.width == sample.height
        whole = read_image(source / sample.name, channels=3)
        assert np.array_equal(project.image(1), whole[y : y + side, x : x + side])
        assert project.image(1, channels=1).shape == (side, side)
        wanted = read_pts((source / sample.name).with_suffix(".pts")) - [x, y]
        assert np.array_equal(project.labels([1]).points[0], wanted)
        assert project.images([1, 2], size=16, channels=3).shape == (2, 16, 16, 3)


def test_a_large_crop_looks_the_same_however_it_is_read(tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "a.jpg", cv2.resize(photo(1), (1200, 900)))
    (tmp_path / "in" / "a.pts").write_text(pts_text(face_points(0, corner=(203, 151), span=350)))
    import_source(tmp_path / "in", tmp_path / "p.fkp", crop=BY_POINTS)
    with Project.open(tmp_path / "p.fkp") as project:
        crop = project.faces([1]).crops[0]
        assert (crop % 8 == 0).all() and abs(int(crop[2]) - 351 * 1.5) <= 4
        whole, small = project.image(1), project.image(1, enough=100)
        assert whole.shape[0] == crop[2] and small.shape[0] == crop[2] // 4
        for size in (32, 64, 96):
            wanted = resize_image(whole, size).astype(float)
            assert np.abs(project.images([1], size=size, channels=3)[0] - wanted).mean() < 2


def test_a_point_moved_in_a_crop_is_written_where_it_is_in_the_image(tmp_path: Path) -> None:
    source = tree_300w(tmp_path / "in", ALL_300W)
    import_source(source, tmp_path / "p.fkp", crop=BY_POINTS)
    with Project.open(tmp_path / "p.fkp") as project:
        before = project.labels([1])
        after = before.copy()
        after.points[0, 5] += 0.25
        after.origins[0, 5] = Origin.PERSON
        change_labels(project, [1], lambda _: after, text="move")
        export_project(project, tmp_path / "out", format="pts")
        export_project(project, tmp_path / "out.csv", format="csv")
        name = project.names()[0]
    old = read_pts((source / name).with_suffix(".pts"))
    new = read_pts(
        next(p for p in (tmp_path / "out").rglob("*.pts") if str(p).endswith(str(Path(name).with_suffix(".pts"))))
    )
    moved = np.zeros((68, 2))
    moved[5] = 0.25
    assert np.allclose(new - old, moved, atol=1e-9, rtol=0)
    with Project.open(tmp_path / "p.fkp") as project:
        cells = (tmp_path / "out.csv").read_text().splitlines()[1].split(",")
        assert np.allclose([float(c) for c in cells[-136:]], new.ravel(), atol=1e-9, rtol=0)


def test_a_table_of_crops_comes_back_as_it_was(tmp_path: Path) -> None:
    table = boxed_table(tmp_path / "in", flags=True)
    import_source(table, tmp_path / "a.fkp", crop=BY_BOX)
    with Project.open(tmp_path / "a.fkp") as a:
        export_project(a, tmp_path / "in" / "out.csv", format="csv", states=True)
        import_source(tmp_path / "in" / "out.csv", tmp_path / "b.fkp")
        with Project.open(tmp_path / "b.fkp") as b:
            assert all_labels(b).same_as(all_labels(a)) and b.names() == a.names()
            assert np.array_equal(b.faces().crops, a.faces().crops) and b.faces().subsets == a.faces().subsets
            assert np.array_equal(b.faces().boxes, a.faces().boxes)
            assert (b.index().splits == a.index().splits).all() and np.array_equal(a.image(2), b.image(2))
    first = (tmp_path / "in" / "faces.csv").read_text().splitlines()[1].split(",")
    cells = (tmp_path / "in" / "out.csv").read_text().splitlines()[1].split(",")
    assert first[7:45] == cells[11:49]  # the label cells, byte by byte


CROPS = ["image", "crop_x", "crop_y", "crop_side", "nose_x", "nose_y", "chin_x", "chin_y"]


def crop_table(folder: Path, crops: list[list[str]]) -> Path:
    """One photo of 60 x 60 per row, with two points and these crop cells."""
    for i in range(len(crops)):
        write_image(folder / f"{i}.png", photo(i))
    rows = [[f"{i}.png", *crop, "20", "20", "25", "30"] for i, crop in enumerate(crops)]
    return write_rows(folder / "crops.csv", rows, header=CROPS)


def test_a_table_may_have_crops_and_whole_images(tmp_path: Path) -> None:
    table = crop_table(tmp_path / "in", [["10", "8", "30"], ["", "", ""], ["-5", "0", "70"]])
    report = import_source(table, tmp_path / "a.fkp")
    assert (report.count, report.left_out) == (3, ())
    with Project.open(tmp_path / "a.fkp") as a:
        assert [a.sample(i).width for i in (1, 2, 3)] == [30, 60, 70]
        assert a.labels([1, 2, 3]).points[:, 0].tolist() == [[10, 12], [20, 20], [25, 20]]
        assert np.array_equal(a.image(2), photo(1)[..., ::-1])
        export_project(a, tmp_path / "in" / "out.csv", format="csv")
        import_source(tmp_path / "in" / "out.csv", tmp_path / "b.fkp")
        with Project.open(tmp_path / "b.fkp") as b:
            assert b.names() == a.names() and all_labels(b).same_as(all_labels(a))
            assert np.array_equal(b.faces().crops, a.faces().crops)


def test_crops_that_a_image_cannot_have_are_left_out(tmp_path: Path) -> None:
    table = crop_table(tmp_path / "in", [["10", "8", "30"], ["5000", "8", "30"], ["0", "0", "900000"]])
    report = import_source(table, tmp_path / "a.fkp")
    assert report.count == 1
    far, large = (str(problem) for problem in report.left_out)
    assert far.startswith("crops.csv, row 2: skipped: the crop at (5000, 8) of 30 x 30 pixels lies outside the image")
    assert large.startswith("crops.csv, row 3: skipped: the crop at (0, 0) of 900000 x 900000 pixels is too large")


@pytest.mark.parametrize(
    ("crop", "column"),
    [
        (["1", "1", "0"], "crop_side"),
        (["1", "1", "-4"], "crop_side"),
        (["1.5", "1", "9"], "crop_x"),
        (["1", "1e300", "9"], "crop_y"),
    ],
)
def test_a_crop_that_is_none_is_named(tmp_path: Path, crop: list[str], column: str) -> None:
    table = crop_table(tmp_path / "in", [["10", "8", "30"], crop])
    with pytest.raises(UserError) as caught:
        import_source(table, tmp_path / "a.fkp")
    said = sentence_of(caught.value)
    assert f"crops.csv, row 2 (line 3), column {column}: a crop is in whole pixels" in said


def test_a_file_with_a_number_sign_is_not_taken_for_a_row(tmp_path: Path) -> None:
    source = tree_300w(tmp_path / "in", {"lfpw/trainset": 2, "afw": 1})
    (source / "afw" / "0.JPG").rename(source / "afw" / "a#2.JPG")
    (source / "afw" / "0.pts").unlink()
    report = import_source(source, tmp_path / "p.fkp", crop=BY_POINTS)
    assert str(report.left_out[0]).startswith("afw/a#2.JPG: skipped: there is neither")


def test_faces_of_a_photo_stay_together_where_only_a_later_face_has_a_group(tmp_path: Path) -> None:
    photos, table = textures(130, side=16), tmp_path / "in" / "faces.csv"
    for i, image in enumerate(photos):
        write_image(table.parent / f"{i}.png", image)
    rows = [
        [f"{i % 130}.png", *("2", "2", "9", "9"), "4", "4", "6", "6", "Ann" if i == 259 else ""] for i in range(260)
    ]
    write_rows(table, rows, header=["image", "box_x", "box_y", "box_w", "box_h", *CROPS[4:], "person"])
    import_source(table, tmp_path / "p.fkp", crop=BY_BOX)
    with Project.open(tmp_path / "p.fkp") as project:
        groups, splits = np.array(project.groups()), project.index().splits
        assert groups[0] == groups[130] == "photo 0.png" and groups[259] == "Ann"
        assert (splits[:129] == splits[130:259]).all()
