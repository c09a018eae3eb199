"""The imports that samples came with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.files.json_values import parse_json
from training.storage.project.database import Database
from training.storage.project.guard import guarded


@dataclass(frozen=True)
class Import:
    """One import of samples into the project. problems: sentences on what was left out or looks wrong."""

    source: str
    time: float
    count: int
    problems: tuple[str, ...]


@guarded
def read_imports(database: Database) -> list[Import]:
    """All imports, oldest first."""
    rows = database.all("SELECT source, time, count, problems FROM imports ORDER BY id")
    return [Import(source, when, count, tuple(parse_json(problems))) for source, when, count, problems in rows]


@guarded
def import_numbers(database: Database) -> np.ndarray:
    """The import of each sample, int64 [N]; the first import is 1."""
    return database.column("SELECT import FROM samples ORDER BY id")


@guarded
def import_folders(database: Database) -> dict[int, list[str]]:
    """The absolute folders of each import's image files, by its number; imports without files are left out."""
    folders: dict[int, list[str]] = {}
    query = "SELECT DISTINCT import, absolute FROM samples JOIN folders ON folders.id = samples.folder"
    for number, folder in database.all(query):
        folders.setdefault(number, []).append(folder)
    return folders
