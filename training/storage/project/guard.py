"""Tells damage of a project's database as such.

Values of a database may be anything: it may have been cut off, written over, or made by a stranger. What reads them is
`guarded`: where it stumbles over a value, the database is examined; if that finds damage, this is what the user reads,
otherwise the error is a fault of the program and stays one.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from training.errors import UserError
from training.storage.project.database import DATABASE, RESTORE, Database

F = TypeVar("F", bound=Callable[..., Any])

OF_VALUES = (TypeError, ValueError, LookupError, OverflowError, AttributeError, MemoryError, zlib.error)


def guarded(read: F) -> F:
    """A function of a database that raises UserError where it stumbles over damaged values."""

    @functools.wraps(read)
    def call(database: Database, *args: Any, **kwargs: Any) -> Any:
        with guard(database):
            return read(database, *args, **kwargs)

    return cast(F, call)


@contextmanager
def guard(database: Database) -> Iterator[None]:
    """Raise UserError where the block stumbles over damaged values of the database."""
    try:
        yield
    except OF_VALUES as error:
        fault = database.examine(database)
        if not fault:
            raise
        raise UserError(f"{database.folder / DATABASE} is damaged ({fault}). {RESTORE}") from error
