"""No result is written over a project, its sources, an image or what the same command reads."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.label_files import csv_folder, sentence_of, textures, training_csv, write_image
from tests.unit.sources.formats.test_folders import pts_folder
from training.errors import UserError
from training.sources.exchange.export_project import export_project
from training.sources.exchange.import_source import import_source
from training.storage.destination import Result, check_destination, is_project
from training.storage.project.project import Project
from training.synthetic.demo import make_demo_project

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes nor links for everybody")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of a folder with labels.csv and images."""
    import_source(csv_folder(tmp_path / "in"), tmp_path / "p.fkp")
    return tmp_path / "p.fkp"


def refusal(
    out: Path, result: Result = Result.TABLE, *, inputs: tuple[Path, ...] = (), project: Path | None = None
) -> str:
    """The sentence, which names what was asked for."""
    with pytest.raises(UserError) as caught:
        if project is None:
            check_destination(out, result, inputs=inputs)
        else:
            with Project.open(project, read_only=True) as opened:
                check_destination(out, result, inputs=inputs, project=opened)
    sentence = sentence_of(caught.value)
    assert sentence.startswith(f"{out}: ") and sentence.rstrip(".").rpartition("; ")[2].startswith(("choose", "give"))
    return sentence


@pytest.mark.parametrize(
    "name",
    ["project.db", "project.db-wal", "pixels/000001.npy", "runs", "runs/0001-x/model.safetensors", "new.csv", "."],
)
def test_nothing_inside_a_project_is_written(project: Path, name: str) -> None:
    for result in Result:
        assert "inside the project" in refusal(project / name, result) or name == "."


def test_no_project_is_made_inside_another(project: Path, tmp_path: Path) -> None:
    for place in (project / "runs", project / "runs" / "new.fkp"):
        with pytest.raises(UserError, match="inside the project"):
            import_source(tmp_path / "in", place)
        with pytest.raises(UserError, match=r"inside the project|already exists"):
            make_demo_project(place, samples=2)
    assert not list((project / "runs").iterdir())


@POSIX
def test_other_ways_into_a_project_are_seen(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link.csv").symlink_to(project / "project.db")
    (tmp_path / "folder").symlink_to(project / "runs")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    for out in (
        tmp_path / "link.csv",
        tmp_path / "folder" / "new.csv",
        tmp_path / "sub" / ".." / "p.fkp" / "new.csv",
        Path("../p.fkp/project.db"),
        Path("../folder/../project.db"),
    ):
        assert "inside the project" in refusal(out)
    monkeypatch.chdir(project)
    assert "inside the project" in refusal(Path("new.csv"))


@POSIX
def test_what_a_project_keeps_elsewhere_is_kept(project: Path, tmp_path: Path) -> None:
    (project / "runs").rename(tmp_path / "disk")
    (project / "runs").symlink_to(tmp_path / "disk")
    os.link(project / "project.db", tmp_path / "hard.csv")
    for out in (tmp_path / "disk" / "0001-x" / "new.csv", tmp_path / "disk", tmp_path / "hard.csv"):
        assert "keeps its data here" in refusal(out, Result.FOLDER, project=project)


def test_only_projects_are_taken_for_projects(project: Path, tmp_path: Path) -> None:
    assert is_project(project)
    (tmp_path / "renamed").mkdir()
    (tmp_path / "renamed" / "project.db").write_bytes((project / "project.db").read_bytes())
    assert is_project(tmp_path / "renamed")
    (tmp_path / "renamed" / "project.db").write_bytes(b"SQLite format 3\0 of another program")
    assert not is_project(tmp_path / "renamed")
    (tmp_path / "damaged.fkp").mkdir()
    (tmp_path / "damaged.fkp" / "project.db").write_bytes(b"")
    assert is_project(tmp_path / "damaged.fkp")
    check_destination(tmp_path / "renamed" / "new.csv", Result.TABLE)


def test_images_are_kept(project: Path, tmp_path: Path) -> None:
    plain = write_image(tmp_path / "photo.png", textures(1)[0]).rename(tmp_path / "photo.dat")
    for out in (plain, tmp_path / "in" / "images" / "0.png"):
        for result in (Result.TABLE, Result.MODEL):
            assert "this is an image" in refusal(out, result)
        check_destination(out, Result.IMAGE)  # an earlier plot
    assert "was imported from" in refusal(tmp_path / "in" / "images" / "0.png", Result.IMAGE, project=project)
    check_destination(plain, Result.IMAGE)


@POSIX
def test_links_to_images_are_kept(project: Path, tmp_path: Path) -> None:
    image = tmp_path / "in" / "images" / "0.png"
    (tmp_path / "soft.csv").symlink_to(image)
    os.link(image, tmp_path / "hard.csv")
    for name in ("soft.csv", "hard.csv"):
        assert "this is an image" in refusal(tmp_path / name)
    assert "was imported from" in refusal(tmp_path / "soft.csv", Result.IMAGE, project=project)


@pytest.mark.parametrize("name", ["labels.csv", "in/../in/labels.csv", "images/persons.csv"])
def test_the_table_of_a_folder_is_kept(project: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name if "in/" in name else tmp_path / "in" / name
    out.touch()  # edited since the import
    assert "was imported from" in refusal(out, project=project)


def test_files_of_points_are_kept(tmp_path: Path) -> None:
    pts_folder(tmp_path / "in")
    import_source(tmp_path / "in", tmp_path / "p.fkp")
    out = next((tmp_path / "in").rglob("*.pts"))
    out.touch()
    assert "was imported from" in refusal(out, project=tmp_path / "p.fkp")


def test_the_table_of_a_competition_is_kept_and_an_export_of_its_name_is_not(tmp_path: Path) -> None:
    source = training_csv(tmp_path, 3)
    os.utime(source, (1e9, 1e9))
    import_source(source, tmp_path / "p.fkp")
    before = source.read_bytes()
    with Project.open(tmp_path / "p.fkp", read_only=True) as project:
        with pytest.raises(UserError, match=r"training\.csv: the project .* was imported from this file"):
            export_project(project, source, format="kaggle")
        (tmp_path / "out").mkdir()
        for _ in range(2):
            export_project(project, tmp_path / "out" / "training.csv", format="kaggle")
            os.utime(tmp_path / "out" / "training.csv", (time.time() + 5,) * 2)
    assert source.read_bytes() == before


@POSIX
def test_inputs_are_kept_under_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b\n")
    (tmp_path / "soft.csv").symlink_to(table)
    os.link(table, tmp_path / "hard.csv")
    monkeypatch.chdir(tmp_path)
    for out in (
        table,
        tmp_path / "soft.csv",
        tmp_path / "hard.csv",
        Path("table.csv"),
        Path("./../") / tmp_path.name / "table.csv",
    ):
        assert "an input of the same command" in refusal(out, inputs=(tmp_path / "gone", table))


@POSIX
def test_what_is_no_file_is_kept(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "null.csv").symlink_to("/dev/null")
    for out in (tmp_path / "pipe.csv", tmp_path / "null.csv", Path("/dev/null")):
        assert "a pipe or a device" in refusal(out)
        assert "a pipe or a device" in refusal(out, Result.FOLDER)
    assert "this is a folder" in refusal(tmp_path)


def test_a_table_replaces_tables_only(tmp_path: Path) -> None:
    for data in (b"", b"image,x,y\n", "é,ü\n".encode("latin-1")):
        (tmp_path / "a.csv").write_bytes(data)
        check_destination(tmp_path / "a.csv", Result.TABLE)
    (tmp_path / "a.csv").write_bytes(b"RIFF\0\0video")
    assert "not a table" in refusal(tmp_path / "a.csv")
    check_destination(tmp_path / "a.csv", Result.MODEL)


def test_a_new_name_is_free(project: Path, tmp_path: Path) -> None:
    with Project.open(project, read_only=True) as opened:
        for result in Result:
            check_destination(tmp_path / "new" / "out.csv", result, project=opened)
            check_destination(tmp_path / "in" / "out.csv", result, project=opened)
        check_destination(tmp_path / "in", Result.FOLDER, project=opened)
        (tmp_path / "in" / "out.csv").write_text("an earlier one")
        check_destination(tmp_path / "in" / "out.csv", Result.TABLE, project=opened)
