"""What is killed or fails at exact places: each with what it starts from and what it makes or changes."""

from __future__ import annotations

import hashlib
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.torture import inputs, project_digest
from tests.torture.commands import command
from tests.torture.inputs import RUN
from training.assist.filling.accept import accept
from training.storage.project.edits.undo import undo
from training.storage.project.journal import read_steps
from training.storage.project.project import Project

OLD_PROJECT = Path(__file__).parents[2] / "fixtures" / "project-0.1.0.zip"


@dataclass(frozen=True)
class Case:
    """work(folder): does it. result: the name of what it makes or changes in the folder. first: the name of what is
    written before the result, and may be there in part when it was cut off. again: whether it can be done again when
    it is done already, and then gives the same."""

    work: Callable[[Path], object]
    result: str
    first: str = ""
    again: bool = False

    def state(self, folder: Path) -> object:
        """What is there, to compare; None if the result is not there."""
        path = folder / self.result
        if not path.exists():
            return None
        if path.suffix == ".fkp":
            return project_digest.whole(path)
        return _files(path, *([folder / self.first] if self.first else []))


def prepare(folder: Path) -> Path:
    """Sources, a project with missing points, and one of format 1."""
    folder.mkdir(parents=True)
    inputs.kaggle_csv(folder / "training.csv", 24)
    inputs.kaggle_csv(folder / "more.csv", 20, seed=5)
    inputs.csv_folder(folder / "faces", 20, seed=1)
    inputs.pts_folder(folder / "pts", 14, seed=2)
    inputs.imported(folder / "training.csv", folder / "there.fkp")
    inputs.with_holes(folder / "there.fkp")
    inputs.with_predictions(folder / "there.fkp")
    _format_1(folder)
    return folder


def _format_1(folder: Path) -> None:
    """old.fkp: a project that version 0.1.0 wrote, without what came with format 2."""
    with zipfile.ZipFile(OLD_PROJECT) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if "/runs/0" not in name])
    with closing(sqlite3.connect(folder / "old.fkp" / "project.db")) as sql:
        sql.executescript("DROP TABLE faces; PRAGMA user_version = 1;")


def _open_old(folder: Path) -> None:
    Project.open(folder / "old.fkp").close()


def _accept_all(folder: Path) -> None:
    with Project.open(folder / "there.fkp") as project:
        accept(project, RUN, plain=True)


def _undo(folder: Path) -> None:
    with Project.open(folder / "there.fkp") as project:
        undo(project, read_steps(project.database)[-1].id)


def _import(source: str, path: str, *options: str) -> Callable[[Path], object]:
    return lambda folder: command("import", folder / source, folder / path, *options)


def _export(out: str, kind: str) -> Callable[[Path], object]:
    return lambda folder: command("export", folder / "there.fkp", folder / out, "--format", kind)


def _files(*paths: Path) -> object:
    """Names and a digest of the content of files, and of what is in folders; hidden ones are not part of a result."""
    found = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
    shown = [file for file in found if file.is_file() and not file.name.startswith(".")]
    whole = hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in shown))
    return len(shown), whole.hexdigest()[:16]


CASES: dict[str, Case] = {
    "import kaggle, new": Case(_import("training.csv", "new.fkp"), "new.fkp"),
    "import csv, new": Case(_import("faces", "new.fkp"), "new.fkp"),
    "import pts, new": Case(_import("pts", "new.fkp", "--format", "pts"), "new.fkp"),
    "import kaggle, more": Case(_import("more.csv", "there.fkp"), "there.fkp"),
    "import csv, more": Case(_import("faces", "there.fkp"), "there.fkp"),
    "import pts, more": Case(_import("pts", "there.fkp", "--format", "pts"), "there.fkp"),
    "open a project of format 1": Case(_open_old, "old.fkp", again=True),
    "import into format 1": Case(_import("more.csv", "old.fkp"), "old.fkp"),
    "export csv": Case(_export("out.csv", "csv"), "out.csv", first="out_images", again=True),
    "export kaggle": Case(_export("out.csv", "kaggle"), "out.csv", again=True),
    "export pts": Case(_export("out", "pts"), "out"),
    "demo": Case(lambda folder: command("demo", folder / "new.fkp", "--samples", "24"), "new.fkp"),
    "accept all": Case(_accept_all, "there.fkp", again=True),
    "undo": Case(_undo, "there.fkp"),
}
