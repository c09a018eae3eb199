"""A new project in the making: hidden beside its place until it is whole, swept away later where its maker was killed."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from training.errors import UserError
from training.faces.labels.head_poses import POSES
from training.faces.labels.schema import KeypointSchema
from training.files import writing
from training.storage.project.database import DATABASE
from training.storage.project.pixels import PIXELS
from training.storage.project.project import Project

_NAME = re.compile(r"\..+\.[0-9a-f]{8}\.(importing|new)")
_CONTENT = {DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", PIXELS, POSES, "runs"}
_AGE = 60.0  # seconds without a change: between making and holding a folder lie milliseconds


@contextmanager
def new_project(path: Path, schema: KeypointSchema) -> Iterator[Project]:
    """A project to fill, which appears at `path` when the block has ended well, and not at all otherwise.

    Also removes what makers that were killed have left in the same folder. Raises UserError.
    """
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    part = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.importing"
    try:
        with Project.create(part, schema, name=path.stem) as project, _held(part):
            yield project
        with writing(path):
            part.rename(path)
    except UserError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise UserError(str(error).replace(str(part), str(path))) from error  # nobody knows the folder in the making
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def sweep(folder: Path) -> None:
    """Remove projects in the making that nobody holds: their maker was killed. What cannot be read or removed stays."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name):
                with suppress(OSError):
                    _remove_left(path)


def _remove_left(path: Path) -> None:
    """Raises OSError where it is in use, or no folder."""
    inside = list(path.iterdir())
    newest = max(p.lstat().st_mtime for p in (path, *inside))
    if {p.name for p in inside} <= _CONTENT and time.time() - newest > _AGE:
        with _locked(path):
            shutil.rmtree(path)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keeps `sweep` of other processes away; the system lets go when this process ends, however it ends."""
    with ExitStack() as stack:
        with suppress(OSError):  # a file system without locks: there `sweep` gets none either, and removes nothing
            stack.enter_context(_locked(folder))
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
