"""A disk that is full or fails at any statement: the true sentence, the final name, and nothing left behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.helpers.project_data import batch, moved
from training.errors import UserError
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.edits.change import change_labels
from training.storage.project.new_project import new_project
from training.storage.project.project import Project

FAULTS = {
    "full": (sqlite3.SQLITE_FULL, "database or disk is full", "is full"),
    "failing": (sqlite3.SQLITE_IOERR, "disk I/O error", "reports an error"),
    "without files": (sqlite3.SQLITE_CANTOPEN, "unable to open database file", "free space and works"),
}


class _Statements:
    """Counts statements; the one numbered `fails` raises as on a disk with this fault, as do all that follow."""

    def __init__(self, fault: str, fails: int) -> None:
        self.count, self.fails = 0, fails
        self._code, self._text, _ = FAULTS[fault]

    def next(self, sql: sqlite3.Connection) -> None:
        self.count += 1
        if self.fails and self.count >= self.fails:
            if sql.in_transaction:
                sql.rollback()  # as SQLite does where the disk is full
            error = sqlite3.OperationalError(self._text)
            error.sqlite_errorcode = self._code
            raise error


@contextmanager
def disk(fault: str, fails: int) -> Iterator[_Statements]:
    statements, connect = _Statements(fault, fails), sqlite3.connect

    class Failing(sqlite3.Connection):
        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            if arguments[0] != "ROLLBACK":  # which is told that there is nothing to roll back
                statements.next(self)
            return super().execute(*arguments)

        def executemany(self, *arguments: Any) -> sqlite3.Cursor:
            statements.next(self)
            return super().executemany(*arguments)

    def failing(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, **options, factory=Failing)

    with mock.patch("sqlite3.connect", failing):
        yield statements


def make(path: Path) -> None:
    with new_project(path, KAGGLE_15) as project:
        project.add_samples(batch(3))


def open_and_edit(path: Path) -> None:
    with Project.open(path) as project:
        change_labels(project, [1], moved, text="move")


def old_project(path: Path) -> None:
    """A project of the first format."""
    make(path)
    sql = sqlite3.connect(path / "project.db")
    sql.executescript("DROP TABLE faces; PRAGMA user_version = 1")
    sql.close()


ACTS: dict[str, tuple[Callable[[Path], None] | None, Callable[[Path], None]]] = {
    "make a project": (None, make),
    "open, update and edit one of the first format": (old_project, open_and_edit),
    "open and edit one": (make, open_and_edit),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("prepare", "act"), ACTS.values(), ids=ACTS)
def test_the_sentence_is_true_wherever_the_disk_fails(
    tmp_path: Path, fault: str, prepare: Callable[[Path], None] | None, act: Callable[[Path], None]
) -> None:
    path = tmp_path / "whole" / "faces.fkp"
    if prepare:
        prepare(path)
    with disk(fault, 0) as statements:
        act(path)
    assert statements.count > 5
    for fails in range(1, statements.count + 1):
        path = tmp_path / str(fails) / "faces.fkp"
        if prepare:
            prepare(path)
        with pytest.raises(UserError, match=FAULTS[fault][2]) as told, disk(fault, fails):
            act(path)
        assert not [words for words in ("damaged", ".importing", ".new") if words in str(told.value)], told.value
        assert [p.name for p in path.parent.iterdir()] == (["faces.fkp"] if prepare else []), fails
        act(path)
