"""Kaggle's files: read, imported and written back; every error names the file, row and column."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.label_files import (
    HEADER,
    SHARED,
    all_labels,
    kaggle_cells,
    names_in,
    sentence_of,
    textures,
    training_csv,
    write_rows,
)
from training.errors import UserError
from training.faces.labels.labels import PointState
from training.faces.labels.samples import FLAG_HALF_POINT, FLAG_OUTSIDE
from training.progress import Progress
from training.sources.exchange.export_project import export_project
from training.sources.exchange.import_source import Cancelled, import_source, preview
from training.sources.formats import kaggle
from training.sources.formats.tables.pixel_text import PixelTextError, parse_pixels, pixel_text
from training.storage.project.project import Project

Cells = list[list[str]]


@given(st.lists(st.integers(0, 255), max_size=200), st.sampled_from([b" ", b"  ", b"\t", b" \n"]))
def test_pixel_text_reads_back(values: list[int], blank: bytes) -> None:
    image = np.array(values, np.uint8)
    assert np.array_equal(parse_pixels(pixel_text(image).replace(b" ", blank)), image)


@given(st.lists(st.one_of(st.integers(0, 2000).map(str), st.text("0123456789ax-.", max_size=4)), max_size=12))
def test_pixel_text_accepts_what_python_would_and_nothing_else(tokens: list[str]) -> None:
    text = " ".join(tokens)
    good = all(token.isdigit() and len(token) <= 3 and int(token) <= 255 for token in text.split())
    if good:
        assert parse_pixels(text.encode()).tolist() == [int(token) for token in text.split()]
    else:
        with pytest.raises(PixelTextError):
            parse_pixels(text.encode())


def test_large_images_come_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kaggle, "_CHUNK_PIXELS", 3 * 12 * 12)
    reader = kaggle.KaggleReader(training_csv(tmp_path, 10))
    assert reader.schema is not None
    assert [len(chunk.batch) for chunk in reader.chunks(reader.schema, progress=Progress())] == [3, 3, 3, 1]


def test_import_keeps_pixels_labels_and_order(tmp_path: Path) -> None:
    rows = kaggle_cells(10)
    write_rows(tmp_path / "training.csv", rows)
    report = import_source(tmp_path / "training.csv", tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        assert (report.count, len(project), project.schema.name) == (10, 10, "kaggle-15")
        labels = all_labels(project)
        wanted = np.array([[float(c or "nan") for c in row[:30]] for row in rows]).reshape(10, 15, 2)
        assert np.array_equal(labels.points, wanted, equal_nan=True)
        assert labels.mask.sum(axis=1).tolist() == [4, 15, 15, 4, 15, 15, 4, 15, 15, 4]
        assert all(np.array_equal(project.image(i + 1), image) for i, image in enumerate(textures(10)))
        assert project.names()[:2] == ["training-00001", "training-00002"]
        assert report.train + report.val == 10 and report.val >= 1


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_export_gives_label_cells_back_byte_by_byte(tmp_path: Path, end: str) -> None:
    rows = kaggle_cells(9)
    rows[1][0], rows[2][2], rows[4][5] = "5.50000", "1e0", "+3.25"
    rows[5][7] = ""  # half a point: kept as text, no label
    source = write_rows(tmp_path / "training.csv", rows, end=end)
    import_source(source, tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        export_project(project, tmp_path / "out.csv", format="kaggle")
    assert (tmp_path / "out.csv").read_bytes() == source.read_bytes().replace(b"\r\n", b"\n")


def test_export_writes_a_moved_point_and_leaves_its_neighbours(tmp_path: Path) -> None:
    source = training_csv(tmp_path, 3)
    import_source(source, tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        labels = project.labels([2]).copy()
        labels.points[0, 1] = (3.25, 4.125)
        labels.points[0, 2] = np.nan
        labels.states[0, 2] = PointState.ABSENT
        project.write_labels([2], labels)
        export_project(project, tmp_path / "out.csv", format="kaggle")
    old = [line.split(",") for line in source.read_text().splitlines()]
    new = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    old[2][2:6] = ["3.25", "4.125", "", ""]
    assert new == old


def test_quotes_byte_order_mark_and_a_missing_last_line_end_are_fine(tmp_path: Path) -> None:
    rows = [[f'"{cell}"' for cell in row] for row in kaggle_cells(4)]
    path = write_rows(tmp_path / "training.csv", rows)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().rstrip(b"\n"))
    assert import_source(path, tmp_path / "p.fkp").count == 4


def test_large_quoted_images_and_quoted_delimiters(tmp_path: Path) -> None:
    rows = [[*row[:30], f'"{row[30]}"', '"a, b"'] for row in kaggle_cells(3, side=300)]
    path = write_rows(tmp_path / "training.csv", rows, header=[*HEADER, "person"])
    import_source(path, tmp_path / "p.fkp", format="kaggle")
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.groups() == ["a, b"] * 3
        assert np.array_equal(project.image(3), textures(3, side=300)[2])


def test_columns_in_another_order_find_their_keypoints(tmp_path: Path) -> None:
    rows = kaggle_cells(4)
    order = [*np.random.default_rng(0).permutation(30), 30]
    path = write_rows(tmp_path / "t.csv", [[r[i] for i in order] for r in rows], header=[HEADER[i] for i in order])
    import_source(path, tmp_path / "p.fkp", format="kaggle")
    with Project.open(tmp_path / "p.fkp") as project:
        assert all_labels(project).points[1, 3, 1] == float(rows[1][7])


def test_other_keypoint_names_make_their_own_schema(tmp_path: Path) -> None:
    rows = [["1.5", "2", "3", "4", row[30]] for row in kaggle_cells(3)]
    path = write_rows(
        tmp_path / "t.csv", rows, header=["ear_left_x", "ear_left_y", "ear_right_x", "ear_right_y", "Image"]
    )
    import_source(path, tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.schema.keypoints == ("ear_left", "ear_right") and project.schema.flip == (1, 0)


def write_test_csv(folder: Path, ids: list[str]) -> Path:
    rows = [[name, " ".join(map(str, p.ravel()))] for name, p in zip(ids, textures(len(ids), seed=5), strict=True)]
    return write_rows(folder / "test.csv", rows, header=["ImageId", "Image"])


def test_the_competition_folder_brings_both_files(tmp_path: Path) -> None:
    training_csv(tmp_path, 8)
    write_test_csv(tmp_path, ["1", "2", "3"])
    report = import_source(tmp_path, tmp_path / "p.fkp")
    assert (report.count, report.test) == (11, 3)
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.sample(11).split == "test" and project.names()[-1] == "test-00003"
        assert not project.labels([9, 10, 11]).mask.any()
        export_project(project, tmp_path / "out.csv", format="kaggle")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "training.csv").read_bytes()


def test_test_csv_is_added_to_a_project(tmp_path: Path) -> None:
    import_source(training_csv(tmp_path, 8), tmp_path / "p.fkp")
    report = import_source(write_test_csv(tmp_path, ["7", "9"]), tmp_path / "p.fkp")
    assert (report.count, report.test) == (2, 2)
    with pytest.raises(UserError, match="already has a sample training-00001"):
        import_source(tmp_path / "training.csv", tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        assert len(project) == 10


def test_preview_shows_first_faces_and_imports_nothing(tmp_path: Path) -> None:
    source = training_csv(tmp_path, 30)
    before = names_in(tmp_path)
    seen = preview(source)
    assert (seen.format, seen.schema.name, len(seen.faces)) == ("kaggle", "kaggle-15", 9)
    assert abs(seen.count - 30) <= 3
    assert np.array_equal(seen.faces[2].image, textures(30)[2])
    assert names_in(tmp_path) == before


def test_a_point_outside_and_half_a_point_are_imported_and_flagged(tmp_path: Path) -> None:
    rows = kaggle_cells(5)
    rows[1][4] = "12.2"  # pixels reach from -0.5 to 11.5
    rows[2][7] = ""
    report = import_source(write_rows(tmp_path / "training.csv", rows), tmp_path / "p.fkp")
    assert [(p.row, p.column) for p in report.flagged] == [(2, HEADER[4]), (3, HEADER[6])]
    assert "training.csv, row 2 (line 3), column left_eye_inner_corner_x" in str(report.flagged[0])
    with Project.open(tmp_path / "p.fkp") as project:
        assert project.sample(2).flags == (FLAG_OUTSIDE,) and project.sample(3).flags == (FLAG_HALF_POINT,)
        assert project.labels([2]).points[0, 2, 0] == 12.2


def _set(row: int, column: int, text: str) -> Callable[[Cells], None]:
    def change(rows: Cells) -> None:
        rows[row][column] = text

    return change


def _pixels(row: int, change: Callable[[list[str]], list[str]]) -> Callable[[Cells], None]:
    def apply(rows: Cells) -> None:
        rows[row][30] = " ".join(change(rows[row][30].split()))

    return apply


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (_pixels(3, lambda p: p[:-1]), ["row 4 (line 5)", "column Image", "143 pixels", "144"]),
        (_pixels(0, lambda p: p[:-1]), ["row 1 (line 2)", "column Image", "143 pixels", "square"]),
        (_pixels(3, lambda p: p * 4), ["row 4 (line 5)", "576 pixels", "144"]),
        (_pixels(2, lambda p: [*p[:-1], "256"]), ["row 3 (line 4)", "column Image", "pixel 144", "'256'", "255"]),
        (_pixels(2, lambda p: [p[0], "1a", *p[2:]]), ["row 3 (line 4)", "pixel 2", "'1a'", "whole number"]),
        (_pixels(2, lambda p: ["-3", *p[1:]]), ["row 3 (line 4)", "pixel 1", "'-3'"]),
        (_set(1, 30, ""), ["row 2 (line 3)", "0 pixels"]),
        (_set(4, 20, "abc"), ["row 5 (line 6)", "column nose_tip_x", "'abc'", "not a number"]),
        (_set(4, 21, "inf"), ["row 5 (line 6)", "column nose_tip_y", "'inf'"]),
        (_set(4, 21, "1_0"), ["row 5 (line 6)", "column nose_tip_y", "'1_0'"]),
        (_set(4, 21, "1.2.3"), ["row 5 (line 6)", "column nose_tip_y", "'1.2.3'"]),
        (_set(4, 21, "3\0"), ["row 5 (line 6)", "column nose_tip_y"]),
        (_set(4, 21, "é"), ["row 5 (line 6)", "column nose_tip_y"]),
        (_set(4, 21, "3,4"), ["row 5 (line 6)", "32 cells", "31 columns"]),
    ],
)  # fmt: skip
def test_faults_name_file_row_and_column(tmp_path: Path, change: Callable[[Cells], None], parts: list[str]) -> None:
    rows = kaggle_cells(6)
    change(rows)
    source = write_rows(tmp_path / "training.csv", rows)
    before = names_in(tmp_path)
    with pytest.raises(UserError) as caught:
        import_source(source, tmp_path / "p.fkp")
    sentence = sentence_of(caught.value)
    assert all(part in sentence for part in ["training.csv", *parts]), sentence
    assert names_in(tmp_path) == before


@pytest.mark.parametrize("share", [0.3, 0.5, 0.93])
def test_a_truncated_file_is_said_to_be_cut_off(tmp_path: Path, share: float) -> None:
    source = training_csv(tmp_path, 8)
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match="cut off"):
        import_source(source, tmp_path / "p.fkp", format="kaggle")
    assert not (tmp_path / "p.fkp").exists()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"\n\n", "header"),
        (bytes(range(256)) * 40, "not text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not text"),
        ("a,b\n".encode("utf-16"), "UTF-16"),
        (",".join(HEADER).encode(), "no rows"),
        (b"left_eye_center_x,left_eye_center_y\n1,2\n", "column Image"),
        (b"a,Image\n1,2\n", "ImageId"),
        (",".join(HEADER[2:]).encode() + b"\n", "left_eye_center_x, left_eye_center_y are missing"),
        (",".join([*HEADER[:3], *HEADER[4:]]).encode() + b"\n", "no column right_eye_center_y"),
        (",".join([*HEADER[:1], *HEADER]).encode() + b"\n", "left_eye_center_x appears twice"),
    ],
)
def test_files_that_are_no_training_csv(tmp_path: Path, data: bytes, word: str) -> None:
    source = tmp_path / "training.csv"
    source.write_bytes(data)
    with pytest.raises(UserError) as caught:
        import_source(source, tmp_path / "p.fkp", format="kaggle")
    sentence = sentence_of(caught.value)
    assert word in sentence and "training.csv" in sentence, sentence
    assert not (tmp_path / "p.fkp").exists()


def test_an_image_id_given_twice(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"test.csv, row 3 \(line 4\), column ImageId: 5 is in row 1 already"):
        import_source(write_test_csv(tmp_path, ["5", "6", "5"]), tmp_path / "p.fkp")


def test_cancel_leaves_nothing_of_a_new_project(tmp_path: Path) -> None:
    source = training_csv(tmp_path, 300)
    before = names_in(tmp_path)
    for after in (1, 3, 8, 13):
        calls = iter(range(1000))
        with pytest.raises(Cancelled):
            import_source(source, tmp_path / "p.fkp", cancelled=lambda calls=calls, after=after: next(calls) >= after)
        assert names_in(tmp_path) == before


def test_cancel_or_fault_leaves_a_project_as_it_was(tmp_path: Path) -> None:
    project_path = tmp_path / "p.fkp"
    import_source(training_csv(tmp_path, 8), project_path)
    pixels = names_in(project_path / "pixels")
    rows = kaggle_cells(600, seed=3)
    with pytest.raises(Cancelled):
        calls = iter(range(1000))
        source = write_rows(tmp_path / "more.csv", rows)
        import_source(source, project_path, cancelled=lambda: next(calls) > 15)
    rows[590][0] = "x"
    with pytest.raises(UserError, match="row 591"):
        import_source(write_rows(tmp_path / "bad.csv", rows), project_path)
    with Project.open(project_path) as project:
        assert len(project) == 8 and names_in(project_path / "pixels") == pixels
        assert import_source(source, tmp_path / "other.fkp").count == 600


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    import_source(training_csv(tmp_path, 300), tmp_path / "p.fkp", progress=lambda f, text: told.append((f, text)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] > 0.95 and len(shares) > 8
    assert any("training.csv" in text for _, text in told)


@pytest.mark.skipif(not SHARED.exists(), reason="the real labels are not here")
def test_real_label_cells_come_back_byte_by_byte(tmp_path: Path) -> None:
    header, *lines = (SHARED / "kaggle_labels.csv").read_text().split("\n")[:400]
    pixels = " ".join(["7"] * 96 * 96)
    source = write_rows(tmp_path / "training.csv", [[line, pixels] for line in lines], header=[header, "Image"])
    import_source(source, tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        export_project(project, tmp_path / "out.csv", format="kaggle")
    assert (tmp_path / "out.csv").read_bytes() == source.read_bytes()


def test_a_row_that_runs_on_is_named_below_one_without_an_image_id(tmp_path: Path) -> None:
    source = write_test_csv(tmp_path, ["", '"2', "3"])
    with pytest.raises(UserError, match=r"row 2 \(line 3\): a quotation mark is not closed in this line"):
        import_source(source, tmp_path / "p.fkp")
