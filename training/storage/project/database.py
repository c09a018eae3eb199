"""The project's SQLite database: schema, opening with version checks, and transactions with readable errors."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.progress import Progress

DATABASE = "project.db"
VERSION = 2
APPLICATION = 0x464B5050  # "FKPP": distinguishes projects from other SQLite files
BUSY_MS = 5000
LEAST_FREE = 1 << 20  # bytes of free space below which a disk counts as full

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE imports (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, time REAL NOT NULL, count INTEGER NOT NULL, problems TEXT NOT NULL);
CREATE TABLE pixel_files (
    id INTEGER PRIMARY KEY, count INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
    channels INTEGER NOT NULL);
CREATE TABLE folders (id INTEGER PRIMARY KEY, near TEXT NOT NULL, absolute TEXT NOT NULL UNIQUE);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, source TEXT NOT NULL, import INTEGER NOT NULL, pixel_file INTEGER,
    pixel_row INTEGER, folder INTEGER, file TEXT, grouping TEXT NOT NULL, flags TEXT NOT NULL);
CREATE TABLE source_cells (id INTEGER PRIMARY KEY, cells TEXT NOT NULL);
CREATE TABLE labels (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE columns (chunk INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE prediction_runs (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE predictions (key INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE steps (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, text TEXT NOT NULL, undone INTEGER NOT NULL,
    samples INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE step_parts (
    step INTEGER NOT NULL, part INTEGER NOT NULL, count INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (step, part));
"""
FACES = """
CREATE {kind} TABLE faces (
    id INTEGER PRIMARY KEY, crop_x INTEGER, crop_y INTEGER, crop_side INTEGER, box_x REAL, box_y REAL, box_width REAL,
    box_height REAL, subset TEXT NOT NULL);
"""  # since format 2


class Database:
    """One connection, for one thread. SQLite errors are raised as UserErrors.

    progress: called between blocks of long reads and writes; it may raise Cancelled to abort them (transactions are
    rolled back).
    """

    def __init__(self, folder: Path, *, read_only: bool = False, busy_ms: int = BUSY_MS) -> None:
        """Open the database of the project in `folder`. Raises UserError if there is none or it cannot be read."""
        self.folder = folder
        self.read_only = read_only
        self.progress = Progress()
        if not (folder / DATABASE).is_file():
            raise UserError(_no_project(folder))
        if not read_only and not (os.access(folder, os.W_OK) and os.access(folder / DATABASE, os.W_OK)):
            raise UserError(
                f"The project {folder} is write-protected. Change its permissions, or copy it to a writable folder."
            )
        with self.sentences():
            self.sql = _connect(folder, read_only=read_only, busy_ms=busy_ms)
            try:
                self._check_version()
                self.sql.execute("PRAGMA journal_size_limit = 67108864")
            except BaseException:
                self.sql.close()
                raise

    @classmethod
    def create(cls, folder: Path) -> None:
        """Write a new, empty database into `folder` (which exists)."""
        sql = sqlite3.connect(folder / DATABASE, isolation_level=None)
        try:
            sql.execute("PRAGMA journal_mode = WAL")
            sql.executescript(
                f"BEGIN;{TABLES}{FACES.format(kind='')}"
                f"PRAGMA application_id = {APPLICATION};PRAGMA user_version = {VERSION};COMMIT"
            )
        finally:
            sql.close()

    def close(self) -> None:
        """Close the connection. A second call does nothing."""
        self.sql.close()

    def set_busy(self, busy_ms: int) -> None:
        """Set how long a write waits for another program's lock, in ms."""
        self.one(f"PRAGMA busy_timeout = {int(busy_ms)}")

    def leave_folding(self) -> None:
        """Disable automatic checkpoints of the write-ahead log, which take up to 20 ms at the end of a write."""
        self.one("PRAGMA wal_autocheckpoint = 0")

    def fold(self) -> None:
        """Checkpoint the write-ahead log as far as readers allow."""
        self.one("PRAGMA wal_checkpoint(PASSIVE)")

    def data_version(self) -> int:
        """A number that changes when another connection has written."""
        return int((self.one("PRAGMA data_version") or (0,))[0])

    def _check_version(self) -> None:
        application = self.sql.execute("PRAGMA application_id").fetchone()[0]
        version = self.sql.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION:
            raise UserError(f"{self.folder / DATABASE} is not an FKP Studio database. Choose another project folder.")
        if version > VERSION:
            raise UserError(
                f"The project {self.folder} was written by a newer FKP Studio (format {version}; this one reads up to "
                f"{VERSION}). Update FKP Studio to open it; nothing was changed."
            )
        if version < VERSION:
            self._upgrade()

    def _upgrade(self) -> None:
        """Upgrade from format 1, which had no crops; if read-only, only an empty temporary table is added."""
        if self.read_only:
            self.sql.execute(FACES.format(kind="TEMP"))
            return
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            if self.sql.execute("PRAGMA user_version").fetchone()[0] < VERSION:  # another program may have been faster
                self.sql.execute(FACES.format(kind=""))
                self.sql.execute(f"PRAGMA user_version = {VERSION}")
            self.sql.execute("COMMIT")
        except BaseException:
            self.sql.execute("ROLLBACK")
            raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block's writes, or none of them; nested calls join the outer transaction."""
        if self.sql.in_transaction:
            yield self.sql
            return
        if self.read_only:
            raise UserError(f"The project {self.folder} is open read-only.")
        with self.sentences():
            self.sql.execute("BEGIN IMMEDIATE")
            try:
                yield self.sql
                self.sql.execute("COMMIT")
            except BaseException:
                if self.sql.in_transaction:  # some errors (a full disk) have already rolled back
                    self.sql.execute("ROLLBACK")
                raise

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """All reads of the block see the project as it is at the first, whatever other programs write meanwhile."""
        if self.sql.in_transaction:
            yield
            return
        with self.sentences():
            self.sql.execute("BEGIN")
            try:
                yield
            finally:
                if self.sql.in_transaction:
                    self.sql.execute("ROLLBACK")  # nothing was written

    @contextmanager
    def sentences(self) -> Iterator[None]:
        """Turn SQLite's errors into UserErrors."""
        try:
            yield
        except sqlite3.Error as error:
            raise UserError(_sentence(error, self.folder)) from error

    def all(self, query: str, values: tuple = ()) -> list[tuple]:
        """All rows of a query."""
        with self.sentences():
            return self.sql.execute(query, values).fetchall()

    def column(self, query: str, values: tuple = ()) -> np.ndarray:
        """int64 [N]: the integers of a one-column query, without an intermediate list."""
        with self.sentences():
            return np.fromiter((number for (number,) in self.sql.execute(query, values)), np.int64)

    def one(self, query: str, values: tuple = ()) -> tuple | None:
        """The first row of a query, or None."""
        with self.sentences():
            row: tuple | None = self.sql.execute(query, values).fetchone()
            return row


def _connect(folder: Path, *, read_only: bool, busy_ms: int) -> sqlite3.Connection:
    """A connection in WAL mode, where a writer and any number of readers do not block each other."""
    uri = (folder / DATABASE).resolve().as_uri()
    if read_only:
        # without write access SQLite cannot share the WAL index; but then nothing else is writing either, so the
        # database file is complete unless a crash left a log behind
        wal = folder / f"{DATABASE}-wal"
        shared = os.access(folder, os.W_OK) or (wal.is_file() and wal.stat().st_size > 0)
        uri += "?mode=ro" if shared else "?immutable=1"
    sql = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_ms / 1000)
    sql.execute("PRAGMA synchronous = NORMAL")
    sql.execute("PRAGMA cache_size = -16000")
    sql.execute("PRAGMA trusted_schema = OFF")
    return sql


def _no_project(folder: Path) -> str:
    if not folder.exists():
        return f"There is no project {folder}. Check the path, or create one with `fkp import` or `fkp demo`."
    return f"{folder} is not an FKP Studio project (it has no {DATABASE}). Choose a folder that ends in .fkp."


def _sentence(error: sqlite3.Error, folder: Path) -> str:
    """A sentence for common errors: what went wrong, where, and what to do."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    text = str(error)
    if code == sqlite3.SQLITE_FULL or "disk is full" in text or (code == sqlite3.SQLITE_IOERR and _is_full(folder)):
        return (
            f"The disk of {folder} is full: this change was not saved, but all earlier changes are safe. "
            "Free some space and try again."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or "locked" in text:
        return (
            f"Another program is currently writing to the project {folder} (an import, or `fkp fill`?). "
            "Nothing was changed; try again when it is done."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN) or "readonly" in text:
        return f"The project {folder} cannot be written. Check the permissions of the folder and its files."
    if code == sqlite3.SQLITE_IOERR:
        return f"The disk of {folder} reports an error ({text}). Copy the project to another disk and open it there."
    return f"{folder / DATABASE} is damaged ({text}). Restore a backup, or import the data again into a new project."


def _is_full(folder: Path) -> bool:
    """Whether SQLite has no space for its auxiliary files, which it reports as an I/O error."""
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE
    except OSError:
        return False
