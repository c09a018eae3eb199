"""Writes a project out of its open database, for when its folder was deleted or replaced."""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.files.replacing import replace
from training.files.sentences import writing
from training.progress import Progress
from training.storage.project.database import DATABASE
from training.storage.project.pixels import open_pixels, pixel_path
from training.storage.project.project import RUNS, Project

_BLOCK = 64 << 20  # bytes of images between two looks at progress


@dataclass(frozen=True)
class HalfCopy:
    """A copy that has the database but not yet the images. Give it to `finish_copy` or `discard_copy`."""

    path: Path
    beside: Path


def hold_pixels(project: Project) -> dict[int, np.ndarray]:
    """The memory-mapped images of the project by pixel file, which stay readable after their files are deleted.

    What is missing or damaged is left out.
    """
    held: dict[int, np.ndarray] = {}
    for (number,) in project.database.all("SELECT id FROM pixel_files"):
        with suppress(UserError):
            held[number] = open_pixels(project.database, number)
    return held


def begin_copy(project: Project, path: Path) -> HalfCopy:
    """Copy the open database, with all edits, to a new project that does not appear yet. In the project's thread.

    Raises UserError if the path is taken or cannot be written, or the disk of the project does not answer.
    """
    path = path.absolute()
    if path.exists():
        raise UserError(f"{path} already exists. Choose another name for the copy.")
    beside = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.new"
    copy = HalfCopy(path, beside)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            (beside / RUNS).mkdir(parents=True)
            with project.database.sentences(), closing(sqlite3.connect(beside / DATABASE)) as sql:
                project.database.sql.backup(sql)
                for number, absolute in sql.execute("SELECT id, absolute FROM folders").fetchall():
                    near = Path(os.path.relpath(absolute, path.parent)).as_posix()
                    sql.execute("UPDATE folders SET near = ? WHERE id = ?", (near, number))
                sql.commit()
    except BaseException:
        discard_copy(copy)
        raise
    return copy


def finish_copy(copy: HalfCopy, pixels: Mapping[int, np.ndarray], progress: Progress) -> Path:
    """Write the images and let the project appear, complete; in any thread. Returns its path.

    Raises UserError if it cannot be written, Cancelled from `progress`; nothing of the copy is left then.
    """
    try:
        with writing(copy.path):
            total, done = sum(array.nbytes for array in pixels.values()), 0
            for number, array in pixels.items():
                file = pixel_path(copy.beside, number)
                file.parent.mkdir(exist_ok=True)
                target = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=array.shape)
                rows = max(1, _BLOCK // max(1, array[:1].nbytes))
                for start in range(0, len(array), rows):
                    target[start : start + rows] = array[start : start + rows]
                    done += array[start : start + rows].nbytes
                    progress(done / total, "copying images")
                target.flush()
            replace(copy.beside, copy.path)
    except BaseException:
        discard_copy(copy)
        raise
    return copy.path


def discard_copy(copy: HalfCopy) -> None:
    """Remove what was written of a copy."""
    shutil.rmtree(copy.beside, ignore_errors=True)
