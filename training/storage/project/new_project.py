"""Creates a project in a hidden folder that is renamed when complete; removes leftovers of killed processes."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from training.faces.labels.head_poses import POSES
from training.faces.labels.schema import KeypointSchema
from training.files.replacing import replace
from training.files.sentences import naming, writing
from training.processes.locks import Lock, is_held
from training.storage.project.database import DATABASE
from training.storage.project.pixels import PIXELS
from training.storage.project.project import Project

_NAME = re.compile(r"\..+\.[0-9a-f]{8}\.(importing|new)")
_LOCK = "lock"  # held by the process that makes the project
_CONTENT = {_LOCK, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", PIXELS, POSES, "runs"}
_AGE = 60.0  # seconds without a change before a folder is removed; it is locked milliseconds after its creation


@contextmanager
def new_project(path: Path, schema: KeypointSchema) -> Iterator[Project]:
    """A new project to fill, which appears at `path` only if the block succeeds.

    Also removes what killed processes have left in the same folder. Raises UserError.
    """
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    part = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.importing"
    try:
        with naming(path, hidden=part):
            with Project.create(part, schema, name=path.stem) as project, _held(part):
                yield project
            with writing(path):
                replace(part, path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def sweep(folder: Path) -> None:
    """Remove unfinished projects of killed processes, skipping any that cannot be read or removed."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name):
                with suppress(OSError):
                    _remove_left(path)


def _remove_left(path: Path) -> None:
    """Remove a leftover folder. Raises OSError if it is in use, or not a folder."""
    inside = list(path.iterdir())
    newest = max(p.lstat().st_mtime for p in (path, *inside))
    if {p.name for p in inside} <= _CONTENT and time.time() - newest > _AGE and not is_held(path / _LOCK):
        shutil.rmtree(path)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a lock against `sweep` in other processes."""
    lock = Lock(folder / _LOCK)
    with suppress(OSError):  # no locks on this file system, so `sweep` cannot test it either and removes nothing
        lock.acquire()
    try:
        yield
    finally:
        with suppress(OSError):  # of a disk that fails: what went wrong before is what matters
            lock.release()
            lock.path.unlink(missing_ok=True)
