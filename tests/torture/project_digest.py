"""What a project holds, as values to compare before and after something happened to it."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from training.faces.labels.labels import Labels
from training.storage.project.journal import read_steps
from training.storage.project.project import Project
from training.storage.project.tables.imports import read_imports


def labels_digest(labels: Labels) -> bytes:
    """A hash of points, states and provenance."""
    digest = hashlib.sha256()
    for values in (labels.states, labels.origins, labels.runs):
        digest.update(np.ascontiguousarray(values).astype("<i4").tobytes())
    digest.update(np.where(labels.mask[..., None], labels.points, -1.0).tobytes())
    digest.update(np.nan_to_num(labels.confidences, nan=-1.0).astype("<f4").tobytes())
    return digest.digest()


def content(project: Project, first: int | None = None) -> str:
    """A digest of the labels, splits and crops of the first samples, or of all."""
    ids = project.ids()[:first]
    digest = hashlib.sha256(str(len(ids)).encode())
    digest.update(labels_digest(project.labels(ids)))
    digest.update(project.index().splits[: len(ids)].tobytes())
    digest.update(np.asarray(project.faces(ids).crops).tobytes())
    return digest.hexdigest()[:16]


def whole(path: Path) -> tuple[object, ...]:
    """(samples, imports, steps, digest of labels and pixels, prediction rows)."""
    with Project.open(path, read_only=True) as project:
        digest = hashlib.sha256(content(project).encode())
        for sample in project.ids().tolist():
            digest.update(project.image(sample).tobytes())
        rows = project.database.one("SELECT count(*) FROM predictions") or (0,)
        steps, imports = read_steps(project.database), read_imports(project.database)
        return len(project), len(imports), len(steps), digest.hexdigest()[:16], rows[0]


def faults(path: Path) -> list[str]:
    """What SQLite's own check, and a look at the pixel files that the database names, finds wrong."""
    with closing(sqlite3.connect(path / "project.db")) as sql:
        found = sql.execute("PRAGMA integrity_check").fetchall()
        known = {number for (number,) in sql.execute("SELECT id FROM pixel_files")}
    lost = known - {int(file.stem) for file in (path / "pixels").glob("[0-9]*.npy")}
    return [
        *([f"integrity_check: {found[:2]}"] if found != [("ok",)] else []),
        *([f"{len(lost)} pixel files are lost"] if lost else []),
    ]
