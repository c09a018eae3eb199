"""Whether a result may be written at the path that a user gives: never over a project, its sources, images or the input."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from training.errors import UserError
from training.faces.images.image_header import header_size
from training.files.regular import open_regular
from training.files.sentences import writing
from training.storage.project.database import DATABASE
from training.storage.project.project import Project
from training.storage.project.table_definitions import APPLICATION
from training.storage.project.tables.imports import read_imports

_HEAD = 1 << 16  # bytes looked at to see what a file is
_BESIDE_IMAGES = ("persons.csv", "keypoints.json")  # what formats keep there besides points and tables
_APPLICATION_AT = slice(68, 72)  # of an SQLite file


class Result(Enum):
    """What is written: a text table, a drawn image, a model file, or a folder."""

    TABLE = "table"
    IMAGE = "image"
    MODEL = "model"
    FOLDER = "folder"


def check_destination(
    out: Path, result: Result, *, inputs: Iterable[Path] = (), project: Project | None = None
) -> None:
    """Raise UserError where writing `out` would overwrite something other than an earlier result of this kind.

    inputs: the files that the same command reads. project: whose sources are kept too. Links and other spellings of a
    path count as what they lead to. What may be overwritten is left to the caller for a folder.
    """
    with writing(out):
        there = _status(out)
        _check_projects(out, project)
        if there is None:
            return
        _check_kind(out, there, result)
        if result is Result.FOLDER:
            return
        _check_inputs(out, there, inputs)
        _check_content(out, result)
        if project is not None:
            _check_sources(out, there, project)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _check_kind(out: Path, there: os.stat_result, result: Result) -> None:
    if stat.S_ISDIR(there.st_mode) and result is not Result.FOLDER:
        raise UserError(f"{out}: this is a folder; give the name of a file.")
    if not stat.S_ISDIR(there.st_mode) and not stat.S_ISREG(there.st_mode):
        raise UserError(f"{out}: this is a pipe or a device, not a file; choose another name.")


def _check_projects(out: Path, project: Project | None) -> None:
    """Refuse paths inside any project, and what the given one keeps elsewhere behind a link."""
    for path in _spellings(out):
        for folder in (path, *path.parents):
            if is_project(folder):
                raise UserError(f"{out}: this is inside the project {folder}; choose a place outside of it.")
    if project is None:
        return
    for kept in _entries(project.path):
        real = kept.resolve()
        if any(path == real or real in path.parents for path in _spellings(out)) or _same(kept, out):
            raise UserError(f"{out}: the project {project.path} keeps its data here; choose another place.")


def is_project(folder: Path) -> bool:
    """Whether a folder is a project, damaged ones included."""
    try:
        if not stat.S_ISREG((folder / DATABASE).stat().st_mode):
            return False
    except OSError:
        return False
    if folder.suffix == ".fkp":
        return True
    return _head(folder / DATABASE)[_APPLICATION_AT] == APPLICATION.to_bytes(4, "big")


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _spellings(path: Path) -> tuple[Path, ...]:
    """The place that the name stands at, and what it leads to if it is a link, both without links and `..`."""
    return Path(os.path.realpath(path.parent), path.name), Path(os.path.realpath(path))


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _head(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _check_inputs(out: Path, there: os.stat_result, inputs: Iterable[Path]) -> None:
    for path in inputs:
        read = _status(path)
        if read is not None and os.path.samestat(read, there):
            raise UserError(f"{out}: this is an input of the same command; choose another name.")


def _check_content(out: Path, result: Result) -> None:
    head = _head(out)
    if result is not Result.IMAGE and header_size(head) is not None:
        raise UserError(f"{out}: this is an image, which would be overwritten; choose another name.")
    if result is Result.TABLE and b"\0" in head:
        raise UserError(f"{out}: this is not a table, and would be overwritten; choose another name.")


def _check_sources(out: Path, there: os.stat_result, project: Project) -> None:
    for path in _spellings(out):
        if _is_image_of(path, project) or _is_table_of(path, there, project):
            raise UserError(f"{out}: the project {project.path} was imported from this file; choose another name.")


def _is_image_of(path: Path, project: Project) -> bool:
    query = "SELECT DISTINCT near, absolute FROM samples JOIN folders ON folders.id = samples.folder WHERE file = ?"
    return _lies_in(path, project.database.all(query, (path.name,)), project)


def _is_table_of(path: Path, there: os.stat_result, project: Project) -> bool:
    """Whether it is a table or a file of points that the project was imported from.

    A project knows only the names of these. It is one of them if it lies among the images or just above, or if it was
    there before the import: a result of the same name is younger.
    """
    imports = read_imports(project.database)
    named = any(item.source == path.name for item in imports) or _is_named(path.name, project)
    if not named and path.name not in _BESIDE_IMAGES:
        return False
    if _lies_in(path, project.database.all("SELECT near, absolute FROM folders"), project, or_above=True):
        return True
    return named and there.st_mtime <= max((item.time for item in imports), default=0.0)


def _is_named(name: str, project: Project) -> bool:
    """Whether samples came from a file of this name."""
    rows = project.database.all("SELECT DISTINCT source FROM samples WHERE instr(source, ?)", (name,))
    return any(name in (Path(source).name, Path(source.rpartition("#")[0]).name) for (source,) in rows)


def _lies_in(path: Path, rows: Iterable[tuple[str, str]], project: Project, *, or_above: bool = False) -> bool:
    """Whether a path lies in one of a project's folders, each given by its place beside the project and its absolute
    one."""
    for near, absolute in rows:
        for folder in (project.path.parent / near, Path(absolute)):
            if _same(path.parent, folder) or (or_above and _same(path.parent, folder.parent)):
                return True
    return False
