"""The tables of a project's database, format 3; how older formats become it, and that a database has nothing else.

All tables are STRICT: SQLite refuses a value of another kind than its column's. Format 2 had the same tables without
that, format 1 no table `faces`.
"""

from __future__ import annotations

import sqlite3

from training.progress import Progress

VERSION = 3
APPLICATION = 0x464B5050  # "FKPP": distinguishes projects from other SQLite files
LEAST_SQLITE = (3, 37, 0)  # the first with STRICT tables

TABLES: dict[str, str] = {
    "meta": "key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL",
    "imports": (
        "id INTEGER PRIMARY KEY, source TEXT NOT NULL, time REAL NOT NULL, count INTEGER NOT NULL, "
        "problems TEXT NOT NULL"
    ),
    "pixel_files": (
        "id INTEGER PRIMARY KEY, count INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL, "
        "channels INTEGER NOT NULL"
    ),
    "folders": "id INTEGER PRIMARY KEY, near TEXT NOT NULL, absolute TEXT NOT NULL UNIQUE",
    "samples": (
        "id INTEGER PRIMARY KEY, name TEXT NOT NULL, source TEXT NOT NULL, import INTEGER NOT NULL, "
        "pixel_file INTEGER, pixel_row INTEGER, folder INTEGER, file TEXT, grouping TEXT NOT NULL, "
        "flags TEXT NOT NULL"
    ),
    "source_cells": "id INTEGER PRIMARY KEY, cells TEXT NOT NULL",
    "labels": "id INTEGER PRIMARY KEY, data BLOB NOT NULL",
    "columns": "chunk INTEGER PRIMARY KEY, data BLOB NOT NULL",
    "prediction_runs": "id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE",
    "predictions": "key INTEGER PRIMARY KEY, data BLOB NOT NULL",
    "steps": (
        "id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, text TEXT NOT NULL, undone INTEGER NOT NULL, "
        "samples INTEGER NOT NULL, bytes INTEGER NOT NULL"
    ),
    "step_parts": (
        "step INTEGER NOT NULL, part INTEGER NOT NULL, count INTEGER NOT NULL, data BLOB NOT NULL, "
        "PRIMARY KEY (step, part)"
    ),
    "faces": (
        "id INTEGER PRIMARY KEY, crop_x INTEGER, crop_y INTEGER, crop_side INTEGER, box_x REAL, box_y REAL, "
        "box_width REAL, box_height REAL, subset TEXT NOT NULL"
    ),
}
_OPTIONS = {"meta": "WITHOUT ROWID, STRICT"}  # others: STRICT


def typed_columns(table: str) -> list[tuple[str, str, bool]]:
    """(name, kind as SQLite's types are called, whether it may be NULL) of a table's columns, in order."""
    kinds = ("INTEGER", "REAL", "TEXT", "BLOB")
    words = [column.split() for column in TABLES[table].split(", ")]
    return [(w[0], w[1], not {"NOT", "PRIMARY"} & set(w)) for w in words if len(w) > 1 and w[1] in kinds]


def wrong_kind(sql: sqlite3.Connection) -> str:
    """A value of another kind than its column's, in words; "" if there is none. Reads all rows."""
    for table in TABLES:
        for name, kind, nullable in typed_columns(table):
            allowed = (kind.lower(), *(("null",) if nullable else ()))
            places = ", ".join("?" * len(allowed))
            query = f"SELECT typeof({name}) FROM {table} WHERE typeof({name}) NOT IN ({places})"
            row = sql.execute(query, allowed).fetchone()
            if row is not None:
                return f"{table}.{name} is {row[0]}"
    return ""


def create_tables(sql: sqlite3.Connection) -> None:
    """Make all tables, and mark the database as a project's, within the caller's transaction."""
    for name in TABLES:
        sql.execute(_definition(name, name))
    sql.execute(f"PRAGMA application_id = {APPLICATION}")
    sql.execute(f"PRAGMA user_version = {VERSION}")


def upgrade_tables(sql: sqlite3.Connection, progress: Progress) -> None:
    """Copy all rows of an older format into the tables of this one, within the caller's transaction.

    Raises sqlite3.Error where a value is of another kind than its column's.
    """
    held = {name for (name,) in sql.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    newest = sql.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'steps'").fetchone()[0]
    for n, name in enumerate(TABLES):
        progress(n / len(TABLES), "Updating the project")
        if name not in held:
            sql.execute(_definition(name, name))
            continue
        columns = ", ".join(column for _, column, *_ in sql.execute(f"PRAGMA table_info({name})"))
        sql.execute(_definition(name, f"new_{name}"))
        sql.execute(f"INSERT INTO new_{name} ({columns}) SELECT {columns} FROM {name}")
        sql.execute(f"DROP TABLE {name}")
        sql.execute(f"ALTER TABLE new_{name} RENAME TO {name}")
    if newest:  # numbers of steps are never given twice
        sql.execute("DELETE FROM sqlite_sequence WHERE name = 'steps'")
        sql.execute("INSERT INTO sqlite_sequence VALUES ('steps', ?)", (newest,))
    sql.execute(f"PRAGMA user_version = {VERSION}")


def add_missing_for_reading(sql: sqlite3.Connection) -> None:
    """Make what an older format lacks as empty temporary tables: a project that is only read is not changed."""
    if sql.execute("SELECT 1 FROM sqlite_schema WHERE name = 'faces'").fetchone() is None:
        sql.execute(_definition("faces", "temp.faces"))


def foreign_part(sql: sqlite3.Connection, *, strict: bool) -> str:
    """What a database has, or lacks, that this program never writes, in words; "" if nothing.

    Views and triggers would run a stranger's statements. strict: the tables must be STRICT, as from format 3 on.
    """
    other = sql.execute("SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'trigger')").fetchone()
    if other is not None:
        return f"it has a {other[0]} {other[1]!r}"
    found = {row[1]: row for row in sql.execute("PRAGMA main.table_list")}  # schema, name, type, columns, wr, strict
    for name in TABLES:
        if name not in found:
            if name == "faces" and not strict:
                continue
            return f"it has no table {name!r}"
        if found[name][2] != "table" or (strict and not found[name][5]):
            return f"its table {name!r} was not made by this program"
    return ""


def _definition(name: str, called: str) -> str:
    return f"CREATE TABLE {called} ({TABLES[name]}) {_OPTIONS.get(name, 'STRICT')}"
