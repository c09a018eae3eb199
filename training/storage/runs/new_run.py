"""Makes a run: its number, its folder, and in it the settings and labels that it trains on."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.errors import UserError
from training.files.names import safe_name
from training.storage.runs.folder import FOLDER_NAME
from training.storage.runs.inputs.snapshot import _ARRAYS, _OPTIONAL, Snapshot, snapshot_project, with_schemes
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig

if TYPE_CHECKING:
    from training.storage.project.project import Project


NUMBERS = ".numbers"  # in the folder of the runs: one empty file for each number ever given


def create_run(project: Project, config: RunConfig) -> Run:
    """Make the folder of a new run in the project, with the current labels. Slow: call it off the interface thread.

    Raises UserError where there is nothing to train on or the folder cannot be written.
    """
    return write_run(project.runs_dir, config, with_schemes(project, snapshot_project(project), config))


def write_run(runs_dir: Path, config: RunConfig, snapshot: Snapshot, *, search: str = "") -> Run:
    """Make a run from a snapshot: written under another name, then renamed to one more than the largest number.

    search: as in RunInfo.
    """
    usable = (snapshot.splits == 0) & np.isfinite(snapshot.points).any(axis=(1, 2))
    if not usable.any():
        raise UserError("There is nothing to train on: no sample of the train split has a labelled point.")
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".new-", dir=runs_dir))
        try:
            beside.chmod(0o755)
            write_inputs(Run(beside), config, snapshot, search=search)
            return _take_number(beside, runs_dir, config.recipe)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    except OSError as error:
        raise UserError(
            f"The run cannot be created in {runs_dir}: {error.strerror}. Check free space and write permission."
        ) from error


def write_inputs(run: Run, config: RunConfig, snapshot: Snapshot, *, search: str = "") -> None:
    there = [name for name in (*_ARRAYS, *_OPTIONAL) if getattr(snapshot, name) is not None]
    np.savez(run.snapshot, **{name: getattr(snapshot, name) for name in there})
    about = {
        "config": config.to_json(),
        "schema": snapshot.schema.to_json(),
        "label_hash": snapshot.label_hash,
        "created": time.time(),
        **({"search": search} if search else {}),
    }
    run.config.write_text(json.dumps(about, indent=1), encoding="utf-8")


def _take_number(beside: Path, runs_dir: Path, recipe: str) -> Run:
    """Rename to the next number never used by a run, since points accepted from a discarded run keep its number.

    The recipe's name may come from a stranger's settings. A number is claimed by creating its file in `.numbers`, which only one process can do.
    """
    taken = runs_dir / NUMBERS
    taken.mkdir(exist_ok=True)
    while True:
        number = max(_numbers(runs_dir), default=0) + 1
        try:
            (taken / str(number)).touch(exist_ok=False)
        except FileExistsError:  # another process was faster
            continue
        run = Run(runs_dir / f"{number:04d}-{safe_name(recipe[:100]) or 'run'}")
        beside.rename(run.path)
        return run


def _numbers(runs_dir: Path) -> list[int]:
    found = (FOLDER_NAME.fullmatch(p.name) for p in runs_dir.iterdir())
    taken = (p.name for p in (runs_dir / NUMBERS).iterdir())
    return [*(int(m.group(1)) for m in found if m), *(int(name) for name in taken if name.isdecimal())]
