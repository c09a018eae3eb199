"""Values in a project's database that this program never writes: a sentence each, whatever is read."""

from __future__ import annotations

import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.project_data import moved
from training.assist.filling.accept import accept
from training.errors import UserError
from training.sources.exchange.export_project import export_project
from training.sources.exchange.known_images import KnownImages
from training.storage.project.damage import first_fault
from training.storage.project.edits.change import change_labels
from training.storage.project.edits.move import move_to_split
from training.storage.project.edits.undo import undo
from training.storage.project.guard import guard
from training.storage.project.journal import journal_state, read_steps
from training.storage.project.project import Project
from training.storage.project.table_definitions import TABLES, typed_columns
from training.storage.project.tables.imports import import_folders, read_imports
from training.storage.project.tables.label_table import label_table
from training.storage.project.tables.predictions import prediction_runs, run_columns
from training.storage.project.tables.samples import source_cells
from training.storage.runs.inputs.snapshot import snapshot_project

ARCHIVE = Path(__file__).parents[3] / "fixtures" / "project-0.1.0.zip"
RUN = "0001-fast"
ODD: dict[str, tuple[object, ...]] = {  # by the kind of the column
    "INTEGER": ("x", -1, 2**62),
    "REAL": ("x", float("inf")),
    "TEXT": (b"\xff\x00", "[" * 100_000, '{"a": [1e999]}'),
    "BLOB": ("x", b"", b"\xff" * 400),
}
CELLS = [(table, column, kind) for table in TABLES for column, kind, _ in typed_columns(table)]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of format 2, whose tables take any value, with a step to undo and predictions."""
    folder = tmp_path_factory.mktemp("old")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    path = folder / "old.fkp"
    shutil.copytree(path, folder / "as-new.fkp")
    with Project.open(folder / "as-new.fkp") as project:
        change_labels(project, [1], moved, text="move")
        ids = project.ids()
        project.write_predictions(RUN, ids, np.full((len(ids), 15, 2), 20.0), np.full((len(ids), 15), 0.9))
        rows = {
            name: project.database.all(f"SELECT * FROM {name}")
            for name in ("labels", "steps", "step_parts", "prediction_runs", "predictions", "columns")
        }
    with sqlite3.connect(path / "project.db") as sql:
        for name, values in rows.items():
            sql.execute(f"DELETE FROM {name}")
            sql.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(values[0]))})", values)
        sql.execute("INSERT INTO faces VALUES (2, 1, 1, 20, 1.0, 1.0, 10.0, 10.0, 'helen')")
    sql.close()
    return path


def reads(project: Project, folder: Path) -> list[Callable[[], object]]:
    """Everything that reads a project."""
    database, ids = project.database, range(1, 25)
    return [
        lambda: [project.sample(i) for i in ids],
        lambda: [project.image(i) for i in ids],
        lambda: (project.names(), project.groups([1, 2]), project.sources()),
        project.index,
        project.faces,
        project.label_hash,
        lambda: label_table(database, 15),
        lambda: project.predictions(RUN, list(ids)),
        lambda: run_columns(database, RUN, 15),
        lambda: (read_imports(database), import_folders(database), prediction_runs(database)),
        lambda: (read_steps(database), journal_state(database), source_cells(database, list(ids))),
        lambda: KnownImages(project),
        lambda: snapshot_project(project),
        lambda: export_project(project, folder / "out.csv", format="csv"),
    ]


def writes(project: Project) -> list[Callable[[], object]]:
    return [
        lambda: undo(project, read_steps(project.database)[-1].id),
        lambda: accept(project, RUN, plain=True),
        lambda: move_to_split(project, [1], 2),
        lambda: change_labels(project, [1], moved, text="move"),
    ]


def all_of_it(path: Path, *, read_only: bool) -> list[str]:
    """Do everything with a project; returns the sentences in which it ended. Any other error is raised."""
    told = []
    try:
        with Project.open(path, read_only=read_only) as project:
            for act in reads(project, path.parent) if read_only else [*reads(project, path.parent), *writes(project)]:
                try:
                    act()
                except UserError as error:
                    told.append(str(error))
    except UserError as error:
        told.append(str(error))
    return told


@pytest.mark.parametrize(("table", "column", "kind"), CELLS, ids=[".".join(cell[:2]) for cell in CELLS])
def test_an_odd_value_is_told_or_read(tmp_path: Path, old: Path, table: str, column: str, kind: str) -> None:
    where = "key = 'schema'" if table == "meta" else f"rowid = (SELECT min(rowid) FROM {table})"
    for n, value in enumerate(ODD[kind]):
        path = tmp_path / str(n) / old.name
        shutil.copytree(old, path, ignore=shutil.ignore_patterns("runs"))
        with suppress(sqlite3.IntegrityError), sqlite3.connect(path / "project.db") as sql:  # a primary key
            sql.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {where}", (value,))
        sql.close()
        all_of_it(path, read_only=True)
        all_of_it(path, read_only=False)


def test_a_definition_that_is_no_text_is_told(project_path: Path) -> None:
    Project.open(project_path).close()
    data = (project_path / "project.db").read_bytes()
    assert data.count(b"TABLE samples") == 1
    (project_path / "project.db").write_bytes(data.replace(b"TABLE samples", b"TABL\xff samples"))
    with pytest.raises(UserError, match="is damaged"):
        Project.open(project_path)


def test_a_whole_project_has_no_fault(old: Path, tmp_path: Path) -> None:
    shutil.copytree(old, tmp_path / "p" / "old.fkp")
    assert all_of_it(tmp_path / "p" / "old.fkp", read_only=True) == []
    with Project.open(tmp_path / "p" / "old.fkp") as project:
        assert first_fault(project.database) == ""


def test_a_fault_of_the_program_is_not_told_as_damage(project_path: Path) -> None:
    with (
        Project.open(project_path) as project,
        pytest.raises(ZeroDivisionError),
        guard(project.database),
    ):
        _ = 1 // (len(project) - len(project))
    with Project.open(project_path) as project, pytest.raises(TypeError), guard(project.database):
        len(project.path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("CREATE VIEW more AS SELECT 1", "view 'more'"),
        ("CREATE TRIGGER act AFTER UPDATE ON labels BEGIN DELETE FROM meta; END", "trigger 'act'"),
        ("DROP TABLE faces", "no table 'faces'"),
        ("DROP TABLE faces; CREATE TABLE faces (id INTEGER PRIMARY KEY)", "'faces' was not made by this program"),
    ],
)
def test_a_database_with_parts_of_somebody_else_is_refused(project_path: Path, statement: str, words: str) -> None:
    sql = sqlite3.connect(project_path / "project.db")
    sql.executescript(statement)
    sql.close()
    with pytest.raises(UserError, match=f"is damaged .*{words}"):
        Project.open(project_path)


@pytest.mark.parametrize(("table", "column", "kind"), CELLS, ids=[".".join(cell[:2]) for cell in CELLS])
def test_no_column_takes_a_value_of_another_kind(project_path: Path, table: str, column: str, kind: str) -> None:
    right = {"INTEGER": 1000, "REAL": 1.0, "TEXT": "x", "BLOB": b"x"}
    values = {name: right[k] for name, k, _ in typed_columns(table)} | {column: "x" if kind == "BLOB" else b"x"}
    with (
        Project.open(project_path) as project,
        pytest.raises(UserError, match=r"is damaged .*(cannot store|datatype mismatch)"),
        project.database.transaction() as sql,
    ):
        sql.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", (*values.values(),)
        )
