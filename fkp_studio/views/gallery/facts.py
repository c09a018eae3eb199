"""Reads the data that filters need of all faces. For background threads; each call opens its own connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from fkp_studio.document.lacking import Lacking
from training.storage.project.identity import Place
from training.storage.project.project import Project

CHUNK = 1024  # samples read at once: few enough to let the interface thread run in between
KEY_BYTES = 96  # of a name, for sorting

Cancelled = Callable[[], bool]


def read_lacking(path: Place, *, cancelled: Cancelled) -> Lacking:
    """The unset points of every face. Returns early, incomplete, once cancelled."""
    with Project.open(path, read_only=True) as project:
        found = Lacking.empty(len(project), project.schema)
        for ids in _chunks(project.kept_ids(), cancelled):
            found.put(ids - 1, project.labels(ids).missing)
        return found


def read_ranks(path: Place) -> np.ndarray:
    """int64 [N]: each face's position in the natural order of names, where 'face 2' comes before 'face 10'."""
    with Project.open(path, read_only=True) as project:
        names = project.names()
    keys = np.empty(len(names), f"S{KEY_BYTES}")  # NumPy sorts it without blocking the interface thread
    for start in range(0, len(names), CHUNK):
        keys[start : start + CHUNK] = [natural(name) for name in names[start : start + CHUNK]]
    ranks = np.empty(len(names), np.int64)
    ranks[np.argsort(keys, kind="stable")] = np.arange(len(names))
    return ranks


def natural(name: str) -> bytes:
    """A sort key in which sequences of digits compare as numbers."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(12), name.lower()).encode()[:KEY_BYTES]


def _chunks(ids: np.ndarray, cancelled: Cancelled) -> Iterator[np.ndarray]:
    for start in range(0, len(ids), CHUNK):
        if cancelled():
            return
        yield ids[start : start + CHUNK]
