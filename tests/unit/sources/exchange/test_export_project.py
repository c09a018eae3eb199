"""Every export reads back equal; failed exports leave existing files unchanged."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.label_files import (
    HEADER,
    all_labels,
    csv_folder,
    kaggle_cells,
    names_in,
    sentence_of,
    textures,
    training_csv,
    write_image,
    write_rows,
)
from tests.unit.sources.formats.test_folders import pts_folder
from training.errors import UserError
from training.faces.labels.labels import Labels, Origin, PointState
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import KAGGLE_15, schema_from_names
from training.files.safe_names import safe_names
from training.sources.exchange.export_project import export_project
from training.sources.exchange.import_source import Cancelled, import_source
from training.storage.project.project import Project

coordinate = st.floats(-50, 150, allow_nan=False)
point = st.one_of(st.tuples(coordinate, coordinate), st.just((np.nan, np.nan)))


def project_of(path: Path, points: np.ndarray, *, names: tuple[str, ...] | None = None) -> Project:
    """A project of gray images 12 x 12 with these points [N, K, 2]."""
    count = len(points)
    project = Project.create(path, schema_from_names([f"p{i}" for i in range(points.shape[1])]))
    sides = np.full(count, 12, np.int32)
    batch = SampleBatch(
        names=names or tuple(f"n{i}" for i in range(count)),
        sources=("here",) * count,
        labels=Labels.from_points(points),
        widths=sides,
        heights=sides,
        groups=("",) * count,
        splits=np.zeros(count, np.uint8),
        pixels=textures(count),
    )
    project.add_samples(batch)
    return project


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(point, min_size=2, max_size=2), min_size=2, max_size=5))
def test_kaggle_and_csv_read_back_any_points(tmp_path_factory: pytest.TempPathFactory, points: list) -> None:
    folder = tmp_path_factory.mktemp("out")
    with project_of(folder / "p.fkp", np.array(points)) as project:
        export_project(project, folder / "k.csv", format="kaggle")
        export_project(project, folder / "c.csv", format="csv")
        for name, kind in (("k", "kaggle"), ("c", "csv")):
            import_source(folder / f"{name}.csv", folder / f"{name}.fkp", format=kind)
            with Project.open(folder / f"{name}.fkp") as again:
                assert np.array_equal(all_labels(again).points, all_labels(project).points, equal_nan=True)
                assert np.array_equal(again.image(1, channels=1), project.image(1))


def test_csv_gives_back_the_cells_of_a_csv(tmp_path: Path) -> None:
    folder = csv_folder(
        tmp_path / "in",
        extra=("group", "split"),
        values=[("g,1" if i > 3 else "", "val" if i > 3 else "train") for i in range(6)],
    )
    text = (folder / "labels.csv").read_text().replace("g,1", '"g,1"')
    (folder / "labels.csv").write_text(text)
    import_source(folder, tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        report = export_project(project, tmp_path / "out.csv", format="csv")
        assert report.count == 6
        header, *rows = (tmp_path / "out.csv").read_text().splitlines()
        assert [header, *rows[:1], *rows[4:]] == [line for i, line in enumerate(text.splitlines()) if i in (0, 1, 5, 6)]
        export_project(project, tmp_path / "out.csv", format="csv", states=True)
    assert (tmp_path / "out.csv").read_text().splitlines()[1].endswith(",visible,visible")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_pts_reads_back_with_images_groups_and_splits(tmp_path: Path, suffix: str) -> None:
    pts_folder(tmp_path / "in" / "train", suffix=suffix)
    pts_folder(tmp_path / "in" / "val", 3, suffix=suffix)
    write_rows(tmp_path / "in" / "val" / "persons.csv", [[f"1{suffix}", "eve"]], header=["image", "person"])
    import_source(tmp_path / "in", tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        export_project(project, tmp_path / "out", format="pts")
        import_source(tmp_path / "out", tmp_path / "again.fkp")
        with Project.open(tmp_path / "again.fkp") as again:
            assert again.names() == project.names() and again.groups() == project.groups()
            assert all_labels(again).same_as(all_labels(project))
            assert np.array_equal(again.index().splits, project.index().splits)
            assert np.array_equal(again.image(2), project.image(2))
    with Project.open(tmp_path / "p.fkp") as project, pytest.raises(UserError, match="give a new or empty folder"):
        export_project(project, tmp_path / "out", format="pts")


def test_pts_of_kaggle_faces_have_images_and_say_what_is_missing(tmp_path: Path) -> None:
    import_source(training_csv(tmp_path, 6), tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        labels = project.labels([2]).copy()
        labels.states[:] = PointState.UNSET
        project.write_labels([2], Labels.empty(1, 15))
        report = export_project(project, tmp_path / "out", format="pts")
        assert (
            report.count == 5
            and "2 faces have missing points" in report.notes[0]
            and "1 faces without" in report.notes[1]
        )
        import_source(tmp_path / "out", tmp_path / "again.fkp")
        with Project.open(tmp_path / "again.fkp") as again:
            assert sorted(all_labels(again).mask.sum(axis=1).tolist()) == [4, 4, 15, 15, 15]


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    names = ("../../up", "/etc/abs", "a/../b", "a?b", "up.png", "..")
    assert safe_names(names) == ["up", "etc/abs", "a/b", "a_b", "up-2.png", "picture"]
    assert safe_names(["aux/nul.png", "a./b .png", "a/b .jpg", ".../c"]) == [
        "_aux/_nul.png",
        "a/b .png",
        "a/b -2.jpg",
        "c",
    ]
    with project_of(tmp_path / "p.fkp", np.full((6, 2, 2), 3.0), names=names) as project:
        before = names_in(tmp_path)
        export_project(project, tmp_path / "out", format="pts")
    assert names_in(tmp_path) == before | {"out"}
    assert len(list((tmp_path / "out").rglob("*.pts"))) == 6


def test_pixels_of_a_file_with_a_dot_in_its_name_are_written(tmp_path: Path) -> None:
    training_csv(tmp_path, 3).rename(tmp_path / "set.v2.csv")
    import_source(tmp_path / "set.v2.csv", tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        export_project(project, tmp_path / "out.csv", format="csv")
    assert names_in(tmp_path / "out_images") == {f"set.v2-0000{i}.png" for i in (1, 2, 3)}
    assert import_source(tmp_path / "out.csv", tmp_path / "q.fkp").count == 3


def test_kaggle_export_needs_square_images(tmp_path: Path) -> None:
    for i, image in enumerate(textures(3, side=30)):
        write_image(tmp_path / "in" / f"{i}.png", image[:, : 30 - i])
    import_source(tmp_path / "in", tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project, pytest.raises(UserError, match=r"1.png has 29 x 30 pixels"):
        export_project(project, tmp_path / "out.csv", format="kaggle")


# submission


@pytest.fixture
def competition(tmp_path: Path) -> Project:
    """test.csv with ImageIds 4, 2 and 9, and predictions of a run, some outside the image."""
    training_csv(tmp_path, 3)
    rows = [[name, " ".join(map(str, p.ravel()))] for name, p in zip(("4", "2", "9"), textures(3, seed=5), strict=True)]
    write_rows(tmp_path / "test.csv", rows, header=["ImageId", "Image"])
    import_source(tmp_path, tmp_path / "p.fkp")
    project = Project.open(tmp_path / "p.fkp")
    points = np.tile(np.arange(15, dtype=np.float32)[None, :, None], (3, 1, 2)) - 1
    points[:, :, 1] += np.array([0, 100, 200], np.float32)[:, None] / 1000
    project.write_predictions("0001-cnn", [4, 5, 6], points, np.ones((3, 15), np.float32))
    return project


def lookup(folder: Path, asked: list[tuple[str, str]]) -> Path:
    rows = [[str(i + 1), image, feature, ""] for i, (image, feature) in enumerate(asked)]
    return write_rows(folder / "IdLookupTable.csv", rows, header=["RowId", "ImageId", "FeatureName", "Location"])


def test_submission_answers_each_row_in_order_inside_the_image(competition: Project, tmp_path: Path) -> None:
    asked = [("2", "nose_tip_x"), ("4", "nose_tip_y"), ("9", "right_eye_center_y"), ("9", HEADER[0]), ("4", HEADER[28])]
    out = tmp_path / "sub.csv"
    report = export_project(competition, out, format="submission", lookup=lookup(tmp_path, asked), run="0001-cnn")
    assert report.count == 5
    assert out.read_text() == "RowId,Location\n1,9.0\n2,9.0\n3,0.2\n4,0.0\n5,11.0\n"


def test_submission_of_labels_names_the_first_empty_row(competition: Project, tmp_path: Path) -> None:
    asked = [("4", "nose_tip_x"), ("2", "nose_tip_y")]
    points = np.full((1, 15, 2), np.nan)
    points[0, 10] = (3.5, 4)
    competition.write_labels([4], Labels.from_points(points))
    with pytest.raises(UserError) as caught:
        export_project(competition, tmp_path / "s.csv", format="submission", lookup=lookup(tmp_path, asked))
    words = [
        "IdLookupTable.csv, row 2 (line 3)",
        "no label for nose_tip_y of the image with ImageId 2",
        "1 of 2 rows",
    ]
    assert all(word in sentence_of(caught.value) for word in words)
    assert not (tmp_path / "s.csv").exists()
    export_project(competition, tmp_path / "s.csv", format="submission", lookup=lookup(tmp_path, asked[:1]))
    assert (tmp_path / "s.csv").read_text() == "RowId,Location\n1,3.5\n"


@pytest.mark.parametrize(
    ("image", "feature", "word"),
    [("5", "nose_tip_x", "no image 5 of a test.csv"), ("4", "ear_x", "no keypoint for 'ear_x'")],
)
def test_submission_names_what_the_project_lacks(
    competition: Project, tmp_path: Path, image: str, feature: str, word: str
) -> None:
    with pytest.raises(UserError, match=rf"row 1 \(line 2\).*{word}"):
        export_project(
            competition,
            tmp_path / "s.csv",
            format="submission",
            lookup=lookup(tmp_path, [(image, feature)]),
            run="0001-cnn",
        )


def test_what_an_export_needs_is_said(competition: Project, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--lookup"):
        export_project(competition, tmp_path / "s.csv", format="submission")
    with pytest.raises(UserError, match="0009-x has no predictions"):
        export_project(competition, tmp_path / "s.csv", format="kaggle", run="0009-x")
    with pytest.raises(UserError, match="no export format 'xml'"):
        export_project(competition, tmp_path / "s.csv", format="xml")
    with pytest.raises(UserError, match="column FeatureName is missing"):
        bad = write_rows(tmp_path / "l.csv", [["1", "2"]], header=["RowId", "ImageId"])
        export_project(competition, tmp_path / "s.csv", format="submission", lookup=bad)


# faults


@pytest.mark.parametrize("kind", ["kaggle", "csv"])
def test_cancel_and_a_full_disk_leave_the_old_file(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import_source(training_csv(tmp_path, 3), tmp_path / "p.fkp")
    out = tmp_path / "out.csv"
    out.write_text("old")
    before = names_in(tmp_path)
    with Project.open(tmp_path / "p.fkp") as project:
        with pytest.raises(Cancelled):
            calls = iter(range(100))
            export_project(project, out, format=kind, cancelled=lambda: next(calls) > 0)

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"out.csv: the disk is full; free some space"):
            export_project(project, out, format=kind)
        monkeypatch.undo()
        for bad in (tmp_path / "nowhere" / "x.csv", out / "x.csv"):
            with pytest.raises(UserError, match=r"x.csv: .*choose another place"):
                export_project(project, bad, format=kind)
    assert out.read_text() == "old" and names_in(tmp_path) - {"out_images"} == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_while_importing_leaves_nothing(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = training_csv(tmp_path, 600)
    before = names_in(tmp_path)
    from training.storage.project.pixels import PixelWriter

    written: list[int] = []

    def full(self: PixelWriter, images: np.ndarray) -> None:
        written.append(len(images))
        if len(written) == 2:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(PixelWriter, "write", full)
    with pytest.raises(UserError) as caught:
        import_source(source, tmp_path / "p.fkp")
    assert "full" in sentence_of(caught.value) or "quota" in str(caught.value)
    assert names_in(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_to_write(tmp_path: Path) -> None:
    source = training_csv(tmp_path, 3)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(UserError, match="permission"):
        import_source(source, locked / "p.fkp")


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    source = training_csv(tmp_path, 3)
    with pytest.raises(UserError, match=r"training.csv"):
        import_source(source, source / "p.fkp")
    with pytest.raises(UserError):
        import_source(source, source)
    assert names_in(tmp_path) == {"training.csv", "home"}


def test_a_project_with_other_keypoints_is_not_mixed(tmp_path: Path) -> None:
    import_source(training_csv(tmp_path, 3), tmp_path / "p.fkp")
    with pytest.raises(UserError, match="import it into a new project"):
        import_source(pts_folder(tmp_path / "in"), tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        assert len(project) == 3 and project.schema == KAGGLE_15 and len(kaggle_cells(3)) == 3


STATES = ((3, 0), (2, 1), (1, 3))  # of the two points of the first three faces


def test_csv_with_states_reads_back(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "in")
    import_source(folder, tmp_path / "p.fkp")
    with Project.open(tmp_path / "p.fkp") as project:
        labels = project.labels([1, 2, 3]).copy()
        labels.states[:] = STATES
        labels.points[~labels.mask] = np.nan
        project.write_labels([1, 2, 3], labels)
        export_project(project, tmp_path / "out.csv", format="csv", states=True)
    import_source(tmp_path / "out.csv", tmp_path / "again.fkp", images=folder / "images")
    with Project.open(tmp_path / "again.fkp") as again:
        found = all_labels(again)
        assert found.states.tolist() == [*map(list, STATES), *[[1, 1]] * 3]
        assert np.array_equal(found.points[:3], labels.points, equal_nan=True)
        assert found.origins[0].tolist() == [Origin.IMPORTED, Origin.NONE]
        export_project(again, tmp_path / "again.csv", format="csv", states=True)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()


def test_a_full_disk_is_told_of_the_folder_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_source(training_csv(tmp_path, 3), tmp_path / "p.fkp")
    before = names_in(tmp_path)

    def full(path: Path, _: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with (
        Project.open(tmp_path / "p.fkp") as project,
        pytest.raises(UserError, match=rf"^{tmp_path / 'out'}/\S+: the disk is"),
    ):
        export_project(project, tmp_path / "out", format="pts")
    assert names_in(tmp_path) == before
