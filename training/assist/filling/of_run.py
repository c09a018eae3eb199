"""Loads and caches the fill model of a run."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from training.assist.filling.model import FillModel
from training.errors import UserError
from training.storage.runs.run import Run


def run_fill(run: Run) -> FillModel | None:
    """The fill model of a run folder, a starter (by its representative path) or a model file; None if there is none.

    Cached until the file changes. Raises UserError if it is damaged.
    """
    path = run.fill
    try:
        status = path.stat()
    except OSError:
        return None
    return _loaded(path, status.st_mtime_ns, status.st_size)


def usable_fill(run: Run, *, keypoints: int) -> FillModel | None:
    """As `run_fill`, but None also if it is damaged or has a different number of keypoints."""
    with suppress(UserError):
        fill = run_fill(run)
        return fill if fill is not None and fill.keypoints == keypoints else None
    return None


@lru_cache(maxsize=8)
def _loaded(path: Path, _modified: int, _size: int) -> FillModel:
    return FillModel.load(path)
