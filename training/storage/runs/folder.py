"""The run folder `runs/NNNN-recipe`: made before training starts, written by it, read by the window and the command
line.

It holds config.json (settings, schema, label hash), labels.npz (the snapshot), events.jsonl, metrics.csv,
model.safetensors (the best), fill.npz (how its errors correlate), resume.pt, log.txt, lock (locked while training) and
stop (its presence asks the trainer to stop).
"""

from __future__ import annotations

import re
import shutil
import uuid
from typing import Any

from training.errors import UserError
from training.files.json_values import read_json
from training.files.sentences import RefusedFileError
from training.processes.locks import is_held
from training.processes.tail import new_lines, parsed
from training.storage.runs.events import EpochDone, Event, from_line
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig

FOLDER_NAME = re.compile(r"(\d{4,})-(.+)")
_ABOUT: dict[str, tuple[type, ...]] = {
    "config": (dict,),
    "schema": (dict,),
    "label_hash": (str,),
    "created": (int, float),
    "search": (str,),
}
_YEAR_10000 = 253_402_300_800  # seconds since the epoch
_GONE = ".gone-"  # a run's folder that is being removed
_PROGRESS = b'{"event":"Progress"'


def load_config(run: Run) -> RunConfig:
    """The run's settings. Raises UserError."""
    return RunConfig.from_json(read_about(run)["config"])


def read_about(run: Run) -> dict[str, Any]:
    """What config.json says: config, schema, label_hash, created and search. Raises UserError."""
    try:
        about = read_json(run.config)
        known = {key: about[key] for key in ("config", "schema", "label_hash", "created")}
        known["search"] = about.get("search", "")
        for key, kinds in _ABOUT.items():
            if type(known[key]) not in kinds:
                raise ValueError(f"{key} is not what it should be")
        if not abs(known["created"]) < _YEAR_10000:
            raise ValueError("created is no time")
        return known
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = "damaged" if run.config.is_file() else "missing"
        raise UserError(f"The run {run} cannot be read: its {run.config.name} is {what}. Train again.") from error


def has_begun(run: Run) -> bool:
    """Whether anything was trained, even if its events are lost or damaged."""
    events = run.events
    return run.resume.exists() or (events.is_file() and events.stat().st_size > 0)


def can_resume(run: Run) -> bool:
    """Whether a run that has not used its budget can still reach the end that it would have had.

    From its saved state; from its start where there is neither one nor a result, since it was ended before it saved.
    """
    if run.resume.is_file():
        return True
    events, _ = read_events(run, progress=False)
    return not run.model.is_file() and not any(isinstance(event, EpochDone) for event in events)


def read_events(run: Run, *, after: int = 0, progress: bool = True) -> tuple[list[Event], int]:
    """The events after a byte offset, and the offset to continue from. An unfinished last line is left for later.

    After resuming, the file can be shorter than `after` (it is cut to the last checkpoint); it is then read from the
    start. progress=False skips Progress events, which are most lines of a long run.
    Raises UserError for what is no file, OSError where the disk fails.
    """
    found: list[Event] = []
    try:
        while True:
            lines, offset = new_lines(run.events, after)
            found += parsed((line for line in lines if progress or not line.startswith(_PROGRESS)), from_line)
            if offset == after or not lines:
                return found, offset
            after = offset
    except FileNotFoundError:
        return [], 0
    except RefusedFileError as error:
        raise UserError(f"{run.events}: {error.strerror}.") from error


def is_running(run: Run) -> bool:
    """Whether a trainer holds the run's lock."""
    return is_held(run.lock)


def request_stop(run: Run) -> None:
    """Ask the trainer to finish its batch, keep the best model and end. Also ends a run that has not started."""
    run.stop.touch()


def discard_run(run: Run) -> None:
    """Raises UserError while the run is training."""
    if is_running(run):
        raise UserError(f"The run {run.name} is still training; stop it first.")
    try:
        run.path.rename(run.path.with_name(f"{_GONE}{uuid.uuid4().hex}"))
    except OSError as error:
        raise UserError(f"The run {run.name} cannot be removed: {error.strerror}.") from error
    for gone in run.path.parent.glob(f"{_GONE}*"):  # and what an interrupted removal left behind
        shutil.rmtree(gone, ignore_errors=True)
