"""The imports that samples came with."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from training.storage.project.database import Database


@dataclass(frozen=True)
class Import:
    """One import of samples into the project. problems: sentences on what was left out or looks wrong."""

    source: str
    time: float
    count: int
    problems: tuple[str, ...]


def read_imports(database: Database) -> list[Import]:
    """All imports, oldest first."""
    rows = database.all("SELECT source, time, count, problems FROM imports ORDER BY id")
    return [Import(source, when, count, tuple(json.loads(problems))) for source, when, count, problems in rows]


def import_numbers(database: Database) -> np.ndarray:
    """The import of each sample, int64 [N]; the first import is 1."""
    return database.column("SELECT import FROM samples ORDER BY id")


def import_folders(database: Database) -> dict[int, list[str]]:
    """The absolute folders of each import's image files, by its number; imports without files are left out."""
    folders: dict[int, list[str]] = {}
    query = "SELECT DISTINCT import, absolute FROM samples JOIN folders ON folders.id = samples.folder"
    for number, folder in database.all(query):
        folders.setdefault(number, []).append(folder)
    return folders
