"""Exports of projects that may be anybody's, exports that are cut off, and what is there already."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.label_files import csv_folder, sentence_of, textures, training_csv, write_image
from training.errors import UserError
from training.faces.labels.labels import Labels
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import schema_from_names
from training.sources.exchange.export_project import export_project
from training.sources.exchange.import_source import import_source
from training.storage.project.project import Project

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes nor links for everybody")
EVIL = (
    "../../../ESCAPED",
    "{folder}/ABSOLUTE",
    "C:\\x",
    "a\0b",
    "",
    ".",
    "n" * 5000,
    "d/" * 2500 + "deep",
    "Same",
    "same",
    "sa?me",
    "sa*me",
    "con",
    "=cmd|' /C calc'!A0",
    "link/x",
    "a\r\n=1+1",
    "x\x1e\ny",
)


def change(project: Path, *statements: tuple[str, tuple]) -> None:
    sql = sqlite3.connect(project / "project.db")
    for statement, values in statements:
        sql.execute(statement, values)
    sql.commit()
    sql.close()


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A project of pixels whose samples have names that lead out of any folder; each is a crop, too."""
    training_csv(tmp_path, len(EVIL))
    import_source(tmp_path / "training.csv", tmp_path / "p.fkp")
    for i, name in enumerate(EVIL, 1):
        change(
            tmp_path / "p.fkp",
            ("UPDATE samples SET name = ? WHERE id = ?", (name.replace("{folder}", str(tmp_path)), i)),
            ("INSERT INTO faces (id, crop_x, crop_y, crop_side, subset) VALUES (?, 0, 0, 10, '')", (i,)),
        )
    return tmp_path / "p.fkp"


def files_below(folder: Path) -> set[str]:
    """All files but those of projects, whose logs come and go with readers."""
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    return {name for name in found if ".fkp/" not in name}


def export(project: Path, out: Path, kind: str = "csv", **options: object) -> tuple[str, ...]:
    with Project.open(project, read_only=True) as opened:
        return export_project(opened, out, format=kind, **options).notes  # type: ignore[arg-type]


def test_names_of_samples_never_lead_out_of_the_images_folder(evil: Path, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    before = files_below(tmp_path)
    export(evil, tmp_path / "a" / "b" / "out.csv")
    new = files_below(tmp_path) - before
    assert len(new) == 1 + len(EVIL)
    assert all(name.startswith("a/b/out_images/") for name in new - {"a/b/out.csv"})
    assert len({name.casefold() for name in new}) == len(new)
    assert import_source(tmp_path / "a" / "b" / "out.csv", tmp_path / "again.fkp").count == len(EVIL)


def test_names_of_samples_never_lead_out_of_a_pts_folder(evil: Path, tmp_path: Path) -> None:
    before = files_below(tmp_path)
    export(evil, tmp_path / "out", "pts")
    new = files_below(tmp_path) - before
    assert all(name.startswith("out/") for name in new)
    assert len([name for name in new if name.endswith(".pts")]) == len(EVIL)
    assert import_source(tmp_path / "out", tmp_path / "again.fkp").count == len(EVIL)


def test_names_of_kaggle_tables_are_not_used(evil: Path, tmp_path: Path) -> None:
    before = files_below(tmp_path)
    export(evil, tmp_path / "out.csv", "kaggle")
    assert files_below(tmp_path) - before == {"out.csv"}


@POSIX
def test_a_link_in_the_images_folder_leads_nowhere(evil: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out_images").mkdir()
    (tmp_path / "out_images" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out.csv").write_text("old")
    before = files_below(tmp_path)
    with pytest.raises(UserError, match=r"x\.png: a link leads from here out of the folder"):
        export(evil, tmp_path / "out.csv")
    assert not list((tmp_path / "elsewhere").iterdir())
    assert files_below(tmp_path) == before and (tmp_path / "out.csv").read_text() == "old"


def test_folders_named_as_files_of_the_export_are_told_from_them(tmp_path: Path) -> None:
    names = ("a", "a.png/b", "keypoints.json/train/x", "train/persons.csv/y", "train/a.PTS/c")
    project = Project.create(tmp_path / "p.fkp", schema_from_names(["p0", "p1"]))
    sides = np.full(5, 12, np.int32)
    project.add_samples(
        SampleBatch(
            names=names,
            sources=("here",) * 5,
            labels=Labels.from_points(np.full((5, 2, 2), 3.0)),
            widths=sides,
            heights=sides,
            groups=("g",) * 5,
            splits=np.zeros(5, np.uint8),
            pixels=textures(5),
        )
    )
    project.close()
    export(tmp_path / "p.fkp", tmp_path / "out", "pts")
    assert import_source(tmp_path / "out", tmp_path / "again.fkp").count == 5


def test_cells_of_a_strangers_project_stay_cells(tmp_path: Path) -> None:
    training_csv(tmp_path, 3)
    import_source(tmp_path / "training.csv", tmp_path / "p.fkp")
    cells = "\x1f".join(["x\n=cmd", "1,2", 'a"b', "é", "", "  "] + [""] * 24)
    change(tmp_path / "p.fkp", ("UPDATE source_cells SET cells = ?", (cells,)))
    for kind, name in (("csv", "c.csv"), ("kaggle", "k.csv")):
        export(tmp_path / "p.fkp", tmp_path / name, kind)
        lines = (tmp_path / name).read_text().split("\n")
        assert len(lines) == 5 and len({line.count(",") for line in lines[:-1]}) == 1
    export(tmp_path / "p.fkp", tmp_path / "out", "pts")
    assert import_source(tmp_path / "out", tmp_path / "again.fkp").count == 3


# what is copied byte for byte


def foreign(folder: Path) -> Path:
    """A project whose first image is a secret, or whatever a test puts at `foreign/secret.png`."""
    csv_folder(folder / "in", 3)
    import_source(folder / "in", folder / "p.fkp")
    (folder / "foreign").mkdir()
    change(
        folder / "p.fkp",
        ("INSERT INTO folders VALUES (9, 'foreign', ?)", (str(folder / "foreign"),)),
        ("UPDATE samples SET folder = 9, file = 'secret.png', name = 'x' WHERE id = 1", ()),
    )
    return folder / "p.fkp"


def text(path: Path) -> None:
    path.write_text("root:x:0:0")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@POSIX
@pytest.mark.parametrize("make", [text, pipe, device])
def test_only_images_are_copied(tmp_path: Path, make: Callable[[Path], None]) -> None:
    project = foreign(tmp_path)
    make(tmp_path / "foreign" / "secret.png")
    notes = export(project, tmp_path / "out", "pts")
    assert any(note.startswith("Left out: ") and "secret.png" in note for note in notes)
    assert len([name for name in files_below(tmp_path / "out") if name.endswith(".png")]) == 2
    assert not [name for name in files_below(tmp_path / "out") if "x." in name]


def test_an_image_under_another_ending_is_not_copied(tmp_path: Path) -> None:
    project = foreign(tmp_path)
    write_image(tmp_path / "foreign" / "secret.png", textures(1)[0]).rename(tmp_path / "foreign" / "run.sh")
    change(project, ("UPDATE samples SET file = 'run.sh' WHERE id = 1", ()))
    assert "run.sh" in export(project, tmp_path / "out", "pts")[0]
    assert "x.sh" not in {Path(name).name for name in files_below(tmp_path / "out")}


def test_an_image_that_is_gone_ends_the_export(tmp_path: Path) -> None:
    project = foreign(tmp_path)
    with pytest.raises(UserError, match=r"secret\.png: there is no such file"):
        export(project, tmp_path / "out", "pts")
    assert not (tmp_path / "out").exists()


def test_where_no_face_can_be_written_nothing_is(tmp_path: Path) -> None:
    project = foreign(tmp_path)
    text(tmp_path / "foreign" / "secret.png")
    change(project, ("UPDATE samples SET folder = 9, file = 'secret.png'", ()))
    with pytest.raises(UserError, match=r"no image can be copied.*secret\.png"):
        export(project, tmp_path / "out", "pts")
    with Project.open(project) as opened:
        opened.write_labels(opened.ids(), Labels.empty(3, 2))
    with pytest.raises(UserError, match="no face with a point"):
        export(project, tmp_path / "out", "pts")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["csv", "kaggle", "pts"])
def test_a_project_without_samples_leaves_what_is_there(tmp_path: Path, kind: str) -> None:
    Project.create(tmp_path / "p.fkp", schema_from_names(["p0"])).close()
    out = tmp_path / "out"
    if kind != "pts":
        out.write_text("old")
    before = files_below(tmp_path)
    with pytest.raises(UserError, match=r"no samples|no face with a point"):
        export(tmp_path / "p.fkp", out, kind)
    assert files_below(tmp_path) == before and (kind == "pts" or out.read_text() == "old")


# cut off, or failing at any step


class CutError(BaseException):
    """Stands for a kill."""


_CALLS = ("open", "rename", "replace", "mkdir", "fsync", "link", "unlink", "rmdir")


@contextmanager
def fails_at(number: int, error: BaseException, *, for_good: bool) -> Iterator[list[int]]:
    """The number-th file-changing call fails, and with `for_good` all after it, so that nothing is cleaned up."""
    calls = [0]

    def wrapped(real: Callable, name: str) -> Callable:
        def call(*args: object, **kwargs: object) -> object:
            flags = args[1] if name == "open" and len(args) > 1 else 0
            if name == "open" and not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                return real(*args, **kwargs)
            calls[0] += 1
            if calls[0] == number or (for_good and calls[0] > number):
                raise error
            return real(*args, **kwargs)

        return call

    write = Path.write_bytes

    def write_half(path: Path, data: bytes) -> int:
        calls[0] += 1
        if calls[0] == number:
            write(path, data[: len(data) // 2])
        if calls[0] == number or (for_good and calls[0] > number):
            raise error
        return write(path, data)

    with pytest.MonkeyPatch.context() as patch:
        for name in _CALLS:
            patch.setattr(os, name, wrapped(getattr(os, name), name))
        patch.setattr(Path, "write_bytes", write_half)
        yield calls


def state(folder: Path) -> dict[str, bytes]:
    """What a user sees: hidden leftovers of a kill are swept later."""
    return {
        name: (folder / name).read_bytes()
        for name in files_below(folder)
        if not any(part.startswith(".") for part in Path(name).parts) and ".fkp" not in name
    }


def before_export(folder: Path, kind: str) -> tuple[str, Path]:
    """The format, and a folder as it is before the export of the project p.fkp beside it: with an earlier result."""
    import_source(training_csv(folder, 3), folder / "p.fkp")
    kind, *more = kind.split(" ", 1)
    base = folder / "base"
    base.mkdir()
    if more:
        write_image(base / "out_images" / "other.png", textures(1)[0])
    if kind != "pts":
        (base / "out").write_text("old")
    return kind, base


@pytest.mark.parametrize("kind", ["csv", "kaggle", "pts", "csv into a folder that is there"])
def test_an_export_that_is_cut_off_anywhere_can_be_repeated(tmp_path: Path, kind: str) -> None:
    kind, base = before_export(tmp_path, kind)
    begun = state(base)
    shutil.copytree(base, tmp_path / "whole")
    with fails_at(0, CutError(), for_good=False) as counted:
        export(tmp_path / "p.fkp", tmp_path / "whole" / "out", kind)
    whole = state(tmp_path / "whole")
    assert counted[0] > 2 and whole != begun
    for at in range(1, counted[0] + 1):
        here = tmp_path / f"case{at}"
        shutil.copytree(base, here)
        with fails_at(at, CutError(), for_good=True), pytest.raises(CutError):
            export(tmp_path / "p.fkp", here / "out", kind)
        left = state(here)
        assert all(name in whole and data in (whole[name], begun.get(name)) for name, data in left.items()), at
        assert begun.keys() <= left.keys()
        export(tmp_path / "p.fkp", here / "out", kind)
        assert state(here) == whole, at


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("kind", ["csv", "kaggle", "pts", "csv into a folder that is there"])
def test_a_fault_at_any_step_is_one_sentence_and_leaves_nothing(tmp_path: Path, kind: str, number: int) -> None:
    kind, base = before_export(tmp_path, kind)
    shutil.copytree(base, tmp_path / "whole")
    with fails_at(0, CutError(), for_good=False) as counted:
        export(tmp_path / "p.fkp", tmp_path / "whole" / "out", kind)
    before, refused = everything(base), 0
    for at in range(1, counted[0] + 1):
        here = Path(shutil.copytree(base, tmp_path / f"case{at}"))
        fault = OSError(number, os.strerror(number), str(here / ".out.x.part"))
        with fails_at(at, fault, for_good=False):
            try:
                export(tmp_path / "p.fkp", here / "out", kind)
            except UserError as error:
                refused += 1
                sentence = sentence_of(error)
                assert sentence.startswith(str(here / "out")) and ".part" not in sentence
                assert everything(here) == before, at
    assert refused >= 3


def everything(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def test_images_of_others_are_neither_replaced_nor_removed(tmp_path: Path) -> None:
    import_source(training_csv(tmp_path, 3), tmp_path / "p.fkp")
    write_image(tmp_path / "out_images" / "training-00002.png", textures(1)[0])
    (tmp_path / "out.csv").write_text("old")
    before = state(tmp_path)
    with pytest.raises(UserError, match=r"training-00002\.png: another image has this name"):
        export(tmp_path / "p.fkp", tmp_path / "out.csv")
    assert state(tmp_path) == before


# spreadsheets


def test_formulas_are_escaped_on_request_only(evil: Path, tmp_path: Path) -> None:
    change(
        evil,
        ("UPDATE samples SET grouping = '@SUM(1)' WHERE id = 1", ()),
        ("UPDATE samples SET grouping = '-2.5e3' WHERE id = 2", ()),
        ("UPDATE meta SET value = replace(value, 'left_eye_center', '=left_eye_center') WHERE key = 'schema'", ()),
    )
    export(evil, tmp_path / "plain.csv")
    plain = (tmp_path / "plain.csv").read_text()
    assert ",@SUM(1)," in plain and ",=left_eye_center_x," in plain
    (tmp_path / "safe").mkdir()
    export(evil, tmp_path / "safe" / "safe.csv", escape_formulas=True)
    safe = (tmp_path / "safe" / "safe.csv").read_text()
    assert ",'@SUM(1)," in safe and ",-2.5e3," in safe and ",'=left_eye_center_x," in safe
    cells = [cell.strip('"') for line in safe.splitlines() for cell in line.split(",")]
    assert not [cell for cell in cells if cell[:1] in ("=", "@", "+")]
    done = import_source(tmp_path / "safe" / "safe.csv", tmp_path / "again.fkp")
    assert done.count == len(EVIL), done.left_out
    for kind in ("kaggle", "pts", "submission"):
        with pytest.raises(UserError, match="escaped in csv files only"):
            export(evil, tmp_path / "x", kind, escape_formulas=True)
