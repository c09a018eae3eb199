"""Folders of images with .pts files, with a CSV, or with nothing beside them."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.face_photos import pts_text
from tests.helpers.label_files import (
    SHARED,
    all_labels,
    csv_folder,
    names_in,
    sentence_of,
    textures,
    write_image,
    write_rows,
)
from training.errors import UserError
from training.faces.labels.samples import FLAG_OUTSIDE
from training.sources.exchange.import_source import detect_format, import_source, preview
from training.sources.formats.pts.text import read_pts
from training.sources.formats.tables.columns import KeypointColumns, find_keypoints
from training.storage.project.project import Project
from training.storage.project.tables.imports import read_imports


def pts_folder(folder: Path, count: int = 5, *, points: int = 68, suffix: str = ".png") -> Path:
    """Write images 40 x 40 with .pts files; returns the folder."""
    rng = np.random.default_rng(2)
    for i, image in enumerate(textures(count, side=40)):
        write_image(folder / f"{i}{suffix}", image)
        (folder / f"{i}.pts").write_text(pts_text(np.round(rng.uniform(1, 38, (points, 2)), 3)))
    return folder


# .pts


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=1, max_size=20))
def test_pts_reads_back(tmp_path_factory: pytest.TempPathFactory, points: list[tuple[float, float]]) -> None:
    path = tmp_path_factory.mktemp("pts") / "a.pts"
    path.write_text(pts_text(np.array(points)))
    assert np.allclose(read_pts(path), points, atol=1e-8, rtol=0)


def test_pts_origin_is_moved_from_one_to_zero(tmp_path: Path) -> None:
    path = tmp_path / "a.pts"
    path.write_bytes(b"version: 1\r\nn_points:  2\r\n{\r\n1 1\r\n10.5 20.25\r\n}\r\n")
    assert read_pts(path).tolist() == [[0, 0], [9.5, 19.25]]
    assert pts_text(read_pts(path)) == "version: 1\nn_points: 2\n{\n1.0 1.0\n10.5 20.25\n}\n"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_pts_folder_is_imported(tmp_path: Path, suffix: str) -> None:
    pts_folder(tmp_path / "in" / "train", suffix=suffix)
    pts_folder(tmp_path / "in" / "val" / "helen", 2, suffix=suffix)
    write_rows(
        tmp_path / "in" / "train" / "persons.csv",
        [["0" + suffix, "anna"], ["1" + suffix, "anna"]],
        header=["image", "person"],
    )
    report = import_source(tmp_path / "in", tmp_path / "p.fkp")
    assert (report.format, report.train, report.val, report.test) == ("pts", 5, 2, 0)
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.schema.name == "ibug-68"
        assert project.groups()[:3] == ["anna", "anna", ""]
        assert project.sources()[5] == "val/helen/0.pts" and project.names()[5] == f"val/helen/0{suffix}"
        wanted = read_pts(tmp_path / "in" / "train" / "3.pts")
        assert np.array_equal(project.labels([4]).points[0], wanted)


def test_another_number_of_points_makes_a_schema_of_its_own(tmp_path: Path) -> None:
    import_source(pts_folder(tmp_path / "in", points=5), tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.schema.keypoints == ("point_0", "point_1", "point_2", "point_3", "point_4")


PTS_FAULTS = [
    ("version: 1\nn_points: 68\n{\n" + "1 2\n" * 67 + "}\n", "n_points says 68 but 67 points follow"),
    ("version: 1\nn_points: 5\n{\n" + "1 2\n" * 5 + "}\n", "there are 5 points, where 68 are expected"),
    ("version: 1\nn_points: 68\n{\n" + "1 2\n" * 60, "cut off"),
    ("version: 1\nn_points: 68\n", "'{' is missing"),
    ("version: 1\nn_points: 68\n{\n1 2\n3 x4\n" + "1 2\n" * 66 + "}\n", "line 5: '3 x4' is not a point"),
    ("version: 1\nn_points: many\n{\n1 2\n}\n", "line 2: n_points is 'many'"),
    ("", "empty"),
    ("\0\0\0\0", "not text"),
]


@pytest.mark.parametrize(("text", "words"), PTS_FAULTS)
def test_faults_in_a_pts_file_are_named(tmp_path: Path, text: str, words: str) -> None:
    folder = pts_folder(tmp_path / "in")
    (folder / "3.pts").write_text(text)
    with pytest.raises(UserError) as caught:
        import_source(folder, tmp_path / "p.fkp")
    assert "3.pts" in sentence_of(caught.value) and words in str(caught.value)
    assert names_in(tmp_path) == {"in", "home"}


def test_images_and_points_without_each_other(tmp_path: Path) -> None:
    folder = pts_folder(tmp_path / "in")
    (folder / "1.png").unlink()
    (folder / "2.pts").unlink()
    report = import_source(folder, tmp_path / "p.fkp")
    assert report.count == 4 and "1.pts: there is no image" in str(report.left_out[0])
    with Project.open(tmp_path / "p.fkp") as project:
        missing = dict(zip(project.names(), (~all_labels(project).mask).sum(axis=1).tolist(), strict=True))
    assert missing == {"0.png": 0, "2.png": 68, "3.png": 0, "4.png": 0}


def test_a_point_outside_in_a_pts_file_is_flagged(tmp_path: Path) -> None:
    folder = pts_folder(tmp_path / "in")
    points = read_pts(folder / "2.pts")
    points[7] = (40.2, 3)
    (folder / "2.pts").write_text(pts_text(points))
    report = import_source(folder, tmp_path / "p.fkp")
    assert len(report.flagged) == 1 and "2.pts, point 8: it lies at (40.2, 3)" in str(report.flagged[0])
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.sample(3).flags == (FLAG_OUTSIDE,)


# CSV


def test_csv_folder_takes_over_groups_and_splits(tmp_path: Path) -> None:
    values = [("a", "Train"), ("a", "train"), ("b", "VAL"), ("b", "validation"), ("c", "test"), ("d", "train")]
    folder = csv_folder(tmp_path / "in", extra=("person", "split"), values=values)
    (folder / "labels_complete.csv").write_text("not,this\n")
    report = import_source(folder, tmp_path / "p.fkp")
    assert (report.format, report.train, report.val, report.test) == ("csv", 3, 2, 1)
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.groups() == ["a", "a", "b", "b", "c", "d"]
        assert project.schema.keypoints == ("left_eye", "right_eye") and project.schema.flip == (1, 0)
        assert project.schema.interocular == ((0,), (1,))
        assert project.sample(1).path == folder / "images" / "0.png"
        row = (folder / "labels.csv").read_text().splitlines()[3].split(",")
        assert [str(v) for v in project.labels([3]).points.ravel()] == [str(float(c)) for c in row[3:]]


def test_the_csv_itself_with_its_images_elsewhere(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "in")
    table = tmp_path / "elsewhere.csv"
    (folder / "labels.csv").rename(table)
    (folder / "images").rename(tmp_path / "far")
    report = import_source(table, tmp_path / "p.fkp", images=tmp_path / "far")
    assert report.count == 6
    (tmp_path / "far").rename(tmp_path / "home" / "far")
    with pytest.raises(UserError, match=r"row 1 \(line 2\), column image: the image '0.png' is not in .*--images"):
        import_source(table, tmp_path / "q.fkp")


def test_several_csv_files_ask_which(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "in")
    shutil.copy(folder / "labels.csv", folder / "b.csv")
    (folder / "labels.csv").rename(folder / "a.csv")
    with pytest.raises(UserError, match=r"several CSV files \(a.csv, b.csv\)"):
        import_source(folder, tmp_path / "p.fkp")


def test_preview_tells_the_mapping_and_takes_another(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "in", extra=("person", "usage"), values=[(f"p{i // 2}", "train") for i in range(6)])
    seen = preview(folder)
    assert seen.mapping is not None and seen.count == 6 and seen.exact and len(seen.faces) == 6
    assert (seen.mapping.image, seen.mapping.group, seen.mapping.split) == ("image", "person", "usage")
    assert seen.columns[:3] == ("image", "person", "usage") and seen.faces[0].image.shape == (20, 20, 3)
    assert names_in(tmp_path) == {"in", "home"}
    swapped = replace(
        seen.mapping, group="", split="", keypoints=(KeypointColumns("pupil", "right_eye_x", "right_eye_y"),)
    )
    again = preview(folder, mapping=swapped)
    assert again.schema.keypoints == ("pupil",) and again.faces[0].group == ""
    assert again.faces[2].points[0].tolist() == seen.faces[2].points[1].tolist()
    report = import_source(folder, tmp_path / "p.fkp", mapping=swapped)
    assert report.count == 6 and report.val == 1
    with pytest.raises(UserError, match="line 1: the column nobody is missing"):
        preview(folder, mapping=replace(swapped, group="nobody"))


def test_the_image_column_is_found_by_its_files(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "in")
    text = (folder / "labels.csv").read_text().replace("image,", "Bild,", 1)
    (folder / "labels.csv").write_text(text)
    assert preview(folder).mapping is not None and preview(folder).mapping.image == "Bild"  # type: ignore[union-attr]


def test_semicolons_and_names_without_a_suffix(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "in")
    text = (folder / "labels.csv").read_text().replace(",", ";").replace(".png", "")
    (folder / "labels.csv").write_text(text)
    assert import_source(folder, tmp_path / "p.fkp").count == 6


def test_an_id_that_numbers_the_rows_is_no_group(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "in", extra=("id",), values=[(str(i),) for i in range(6)])
    assert preview(folder).faces[0].group == ""


def test_an_unreadable_image_is_left_out_and_listed(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "in")
    data = (folder / "images" / "2.png").read_bytes()
    (folder / "images" / "2.png").write_bytes(data[: len(data) // 2])
    (folder / "images" / "4.png").unlink()
    report = import_source(folder, tmp_path / "p.fkp")
    assert report.count == 4 and [p.row for p in report.left_out] == [3, 5]
    assert "labels.csv, row 3 (line 4), column image" in str(report.left_out[0]) and "cut off" in str(
        report.left_out[0]
    )
    assert "no such file" in str(report.left_out[1])
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.names() == ["0.png", "1.png", "3.png", "5.png"]
        assert len(read_imports(project.database)[0].problems) == 2


def edit(folder: Path, row: int, column: int, text: str) -> None:
    lines = [line.split(",") for line in (folder / "labels.csv").read_text().splitlines()]
    lines[row][column] = text
    (folder / "labels.csv").write_text("\n".join(",".join(line) for line in lines) + "\n")


@pytest.mark.parametrize(
    ("row", "column", "text", "words"),
    [
        (3, 2, "left", "labels.csv, row 3 (line 4), column left_eye_x: 'left' is not a number"),
        (5, 0, "1.png", "row 5 (line 6), column image: 1.png is in row 2 already"),
        (5, 0, "", "row 5 (line 6), column image: the name of the image is missing"),
        (4, 1, "later", "row 4 (line 5), column split: 'later' is not a split; write train, val or test"),
        (2, 2, '"3,5"', "row 2 (line 3), column left_eye_x: '3,5' is not a number; use a point for decimals"),
        (0, 3, "lefteye", "there is a column left_eye_x but no column left_eye_y"),
        (0, 2, "image", "the column image appears twice"),
    ],
)
def test_faults_in_a_csv_are_named(tmp_path: Path, row: int, column: int, text: str, words: str) -> None:
    folder = csv_folder(tmp_path / "in", extra=("split",), values=[("train",)] * 6)
    edit(folder, row, column, text)
    with pytest.raises(UserError) as caught:
        import_source(folder, tmp_path / "p.fkp")
    assert words in sentence_of(caught.value)
    assert names_in(tmp_path) == {"in", "home"}


def test_missing_columns_of_a_csv_are_named(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "in")
    write_rows(folder / "labels.csv", [["a", "77"]], header=["word", "number"])
    with pytest.raises(UserError, match="column image with the images' file names is missing"):
        import_source(folder, tmp_path / "p.fkp")
    write_rows(folder / "labels.csv", [["0.png", "1"]], header=["image", "number"])
    with pytest.raises(UserError, match=r"keypoint columns .* are missing"):
        import_source(folder, tmp_path / "p.fkp")


@pytest.mark.parametrize("cut", [1, 2, 3, 6, 8, 20])
def test_a_csv_cut_off_in_its_last_row(tmp_path: Path, cut: int) -> None:
    folder = csv_folder(tmp_path / "in")
    data = (folder / "labels.csv").read_bytes().rstrip(b"\n")
    (folder / "labels.csv").write_bytes(data)
    assert import_source(folder, tmp_path / "whole.fkp").count == 6
    (folder / "labels.csv").write_bytes(data[:-cut])
    with pytest.raises(UserError, match=r"row 6 \(line 7\).*cut off"):
        import_source(folder, tmp_path / "p.fkp")


# images alone


def test_a_folder_of_images_without_labels(tmp_path: Path) -> None:
    for i, image in enumerate(textures(8, side=30)):
        write_image(tmp_path / "in" / f"{i}.jpg", image)
        write_image(tmp_path / "in" / "again" / f"{i}.png", image[:, ::-1])
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    report = import_source(tmp_path / "in", tmp_path / "p.fkp")
    assert (report.format, report.count, len(report.left_out)) == ("pictures", 16, 1)
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.schema.name == "kaggle-15" and not all_labels(project).mask.any()
        split = dict(zip(project.names(), project.index().splits.tolist(), strict=True))
    assert all(split[f"{i}.jpg"] == split[f"again/{i}.png"] for i in range(8))


def test_sources_that_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no images and no CSV"):
        import_source(tmp_path / "empty", tmp_path / "p.fkp")
    with pytest.raises(UserError, match="no such file or folder"):
        import_source(tmp_path / "nowhere", tmp_path / "p.fkp")
    with pytest.raises(UserError, match="give the folder that holds the images"):
        import_source(write_image(tmp_path / "a.png", textures(1)[0]), tmp_path / "p.fkp")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="no image could be read, so nothing was imported"):
        import_source(tmp_path / "in", tmp_path / "p.fkp")
    assert not (tmp_path / "p.fkp").exists()


def test_a_closed_folder_below_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "in" / "a.png", textures(1)[0])
    write_image(tmp_path / "in" / "closed" / "b.png", textures(1)[0])
    scan = os.scandir

    def scandir(path: str) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(UserError, match="closed: there is no permission to read it"):
        import_source(tmp_path / "in", tmp_path / "p.fkp")


def test_keypoint_columns_in_other_spellings() -> None:
    found = find_keypoints(["id", "nose.x", "nose.y", "chinX", "chinY", "index"], file="a.csv")
    assert [k.name for k in found] == ["nose", "chin"]


@pytest.mark.skipif(not SHARED.exists(), reason="the real faces are not here")
@pytest.mark.parametrize(
    ("name", "kind", "count", "val"), [("faces15", "csv", 3403, 440), ("photos15", "csv", 1688, 267)]
)
def test_real_folders(tmp_path: Path, name: str, kind: str, count: int, val: int) -> None:
    assert detect_format(SHARED / name) == kind
    report = import_source(SHARED / name, tmp_path / "p.fkp")
    assert (report.count, report.val, report.left_out) == (count, val, ())
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.schema.name == "kaggle-15" and all(project.groups())


def test_a_name_that_no_file_can_have_is_left_out(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "in")
    edit(folder, 2, 0, "9" * 400)
    report = import_source(folder, tmp_path / "p.fkp")
    assert report.count == 5 and "row 2 (line 3)" in str(report.left_out[0]) and "too long" in str(report.left_out[0])


@pytest.mark.parametrize(
    ("word", "cells", "words"),
    [
        (
            "hidden",
            None,
            "column left_eye_state: 'hidden' is not a state; write one of unset, visible, occluded, absent",
        ),
        ("absent", None, "column left_eye_state: an absent point has no coordinates, but they are given; empty them"),
        (
            "occluded",
            ["", ""],
            "column left_eye_state: the point is occluded, but its coordinates are missing; add them",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_named(tmp_path: Path, word: str, cells: list[str] | None, words: str) -> None:
    values = [("visible",)] * 200 + [(word,)]  # after the rows from which roles are inferred
    folder = csv_folder(tmp_path / "in", 201, extra=("left_eye_state",), values=values)
    table = folder / "labels.csv"
    *rows, last = table.read_text().splitlines()
    parts = last.split(",")
    table.write_text("\n".join([*rows, ",".join([*parts[:2], *(cells or parts[2:4]), *parts[4:]])]) + "\n")
    with pytest.raises(UserError, match=rf"labels.csv, row 201 \(line 202\), {words}"):
        import_source(folder, tmp_path / "p.fkp")
    assert not (tmp_path / "p.fkp").exists()


def test_a_state_column_of_another_meaning_is_ignored(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "in", extra=("left_eye_state",), values=[("open",)] * 6)
    seen = preview(folder)
    assert seen.mapping is not None and {k.state for k in seen.mapping.keypoints} == {""}
    assert import_source(folder, tmp_path / "p.fkp").count == 6


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_to_folders_are_not_followed_and_named(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png", textures(1)[0])
    (tmp_path / "images" / "round").symlink_to(tmp_path)
    (tmp_path / "images" / "other").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    write_image(tmp_path / "elsewhere" / "b.png", textures(2)[1])
    report = import_source(tmp_path / "images", tmp_path / "p.fkp")
    assert report.count == 1
    (note,) = (note for note in report.notes if "Links" in note)
    assert "images/other" in note and "images/round" in note
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "all").symlink_to(tmp_path / "images")
    with pytest.raises(UserError, match=r"no images .* Links to folders are not followed: .*links/all"):
        detect_format(tmp_path / "links")
