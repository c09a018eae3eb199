"""The project's SQLite database: schema, opening with version checks, and transactions with readable errors."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.files.flushing import flush
from training.files.regular import open_regular
from training.files.sentences import writing
from training.progress import Progress
from training.storage.project.table_definitions import (
    APPLICATION,
    LEAST_SQLITE,
    VERSION,
    add_missing_for_reading,
    create_tables,
    foreign_part,
    upgrade_tables,
    wrong_kind,
)

DATABASE = "project.db"
BUSY_MS = 5000
log = logging.getLogger(__name__)
RESTORE = "Restore a backup, or import the data again into a new project."
LEAST_FREE = 1 << 20  # bytes of free space below which a disk counts as full


def needs_upgrade(folder: Path) -> bool:
    """Whether the project in `folder` has an older format, which opening it for writing changes; cheap."""
    try:
        with open_regular(folder / DATABASE) as file:
            head = file.read(72)
    except OSError:
        return False
    application, version = (int.from_bytes(head[at : at + 4]) for at in (68, 60))  # as SQLite's file format has them
    return application == APPLICATION and version < VERSION


def upgrade(folder: Path, progress: Progress) -> None:
    """Bring the project in `folder` to this format, all of it or nothing. Raises UserError, and what `progress` raises."""
    Database(folder, progress=progress).close()


class Database:
    """One connection, for one thread. SQLite errors are raised as UserErrors.

    progress: called between blocks of long reads and writes; it may raise Cancelled to abort them (transactions are
    rolled back). examine: says in words what is wrong with the database's values, "" if nothing is.
    """

    def __init__(
        self, folder: Path, *, read_only: bool = False, busy_ms: int = BUSY_MS, progress: Progress | None = None
    ) -> None:
        """Open the database of the project in `folder`. Raises UserError if there is none or it cannot be read."""
        if sqlite3.sqlite_version_info < LEAST_SQLITE:
            raise UserError(f"SQLite {sqlite3.sqlite_version} is too old: projects need 3.37. Use a newer Python.")
        self.folder = folder
        self.read_only = read_only
        self._committed = False  # something, since the last flush
        self.progress = progress or Progress()
        self.examine: Callable[[Database], str] = lambda _: ""
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
        with _sentences(folder), closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as sql:
            sql.execute("PRAGMA journal_mode = WAL")
            with _written(sql):
                create_tables(sql)

    def close(self) -> None:
        """Close the connection. A second call does nothing."""
        if self._committed:
            try:
                self.flush()
            except OSError as error:
                log.info("%s was not brought to the disk: %s", self.folder, error)  # `flush_written` tells the user
        self.sql.close()

    def flush(self) -> None:
        """Wait until all that was committed is on the disk itself. Raises OSError. May be called in any thread.

        A transaction is in the write-ahead log when it ends, so a killed program loses nothing; to wait for the disk in
        each would cost an edit 5 to 30 ms.
        """
        self._committed = False
        with suppress(FileNotFoundError):  # SQLite removes the log when the database itself is on the disk
            flush(self.folder / f"{DATABASE}-wal")

    def flush_written(self) -> None:
        """Flush if anything was committed since the last time. Raises UserError."""
        if self._committed:
            with writing(self.folder):
                self.flush()

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
        self._refuse(foreign_part(self.sql, strict=version >= VERSION))
        if version < VERSION:
            self._upgrade()

    def _upgrade(self) -> None:
        if self.read_only:
            add_missing_for_reading(self.sql)
            self._refuse(wrong_kind(self.sql))
            return
        with _written(self.sql):
            if self.sql.execute("PRAGMA user_version").fetchone()[0] < VERSION:  # another program may have been faster
                upgrade_tables(self.sql, self.progress)

    def _refuse(self, fault: str) -> None:
        if fault:
            raise UserError(f"{self.folder / DATABASE} is damaged ({fault}). {RESTORE}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block's writes, or none of them; nested calls join the outer transaction."""
        if self.sql.in_transaction:
            yield self.sql
            return
        if self.read_only:
            raise UserError(f"The project {self.folder} is open read-only.")
        with self.sentences(), _written(self.sql):
            yield self.sql
        self._committed = True

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
        with _sentences(self.folder):
            yield

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


@contextmanager
def _written(sql: sqlite3.Connection) -> Iterator[None]:
    """All of the block's writes, or none of them."""
    sql.execute("BEGIN IMMEDIATE")
    try:
        yield
        sql.execute("COMMIT")
    except BaseException:
        if sql.in_transaction:  # some errors (a full disk) have already rolled back
            with suppress(sqlite3.Error):  # it must not hide the cause; closing rolls back too
                sql.execute("ROLLBACK")
        raise


@contextmanager
def _sentences(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise UserError(_sentence(error, folder)) from error
    except UnicodeDecodeError as error:  # of SQLite's own message, which quotes what it stumbled over
        raise UserError(f"{folder / DATABASE} is damaged (a text in it cannot be read). {RESTORE}") from error


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
    if (
        code == sqlite3.SQLITE_FULL
        or "disk is full" in text
        or (code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _is_full(folder))
    ):
        return (
            f"The disk of {folder} is full: this change was not saved, but all earlier changes are safe. "
            "Free some space and try again."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or "locked" in text:
        return (
            f"Another program is currently writing to the project {folder} (an import, or `fkp fill`?). "
            "Nothing was changed; try again when it is done."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM) or "readonly" in text:
        return f"The project {folder} cannot be written. Check the permissions of the folder and its files."
    if code == sqlite3.SQLITE_CANTOPEN:
        return (
            f"A file of the project {folder} cannot be opened or made. Check that the disk has free space and works, and "
            "the permissions of the folder and its files."
        )
    if code == sqlite3.SQLITE_IOERR:
        return f"The disk of {folder} reports an error ({text}). Copy the project to another disk and open it there."
    return f"{folder / DATABASE} is damaged ({text}). {RESTORE}"


def _is_full(folder: Path) -> bool:
    """Whether SQLite has no space for its auxiliary files, which it reports as an I/O error."""
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE
    except OSError:
        return False
