"""A search on disk, `searches/NAME/`: what is searched, the labels shared by all trials, and the table of trials.

config.json and labels.npz are as in a run folder (settings, budget and seed of every trial); search.json holds the
space, the number of trials and the pruner; search.db is Optuna's storage; trials.json is the table for other readers;
workers/ has a locked file per process that runs trials; the file stop asks them to stop.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import UserError
from training.files.json_values import read_json
from training.files.names import safe_name
from training.files.replacing import replacing
from training.processes.locks import Lock, is_held
from training.storage.runs.folder import load_config, read_about
from training.storage.runs.inputs.snapshot import Snapshot, load_snapshot
from training.storage.runs.new_run import write_inputs
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.search_space import Space, check_space, space_from_json, space_to_json

SEARCHES, PLAN, TRIALS, DATABASE = "searches", "search.json", "trials.json", "search.db"
WORKERS, STOP, LOCK = "workers", "stop", "lock"
PRUNERS = ("median", "halving", "none")
MOST_TRIALS = 100_000
_MOST = 1 << 28  # bytes of a table of trials
_LARGEST = 1e300
LONGER = 5  # budget for training the best trial's settings, as a multiple of a trial's budget
_STATES = {"done": 0, "pruned": 1, "running": 2, "waiting": 2, "failed": 3}  # states of a trial, in listing order
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class SearchPlan:
    """What is searched. config: settings shared by all trials. remote: the storage is a URL given when running it."""

    name: str
    config: RunConfig
    space: Space
    trials: int
    pruner: str = "median"
    remote: bool = False
    label_hash: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UserError(
                f"The name of a search may contain letters, digits, '-', '_' and '.', unlike {self.name!r}."
            )
        if not 1 <= self.trials <= MOST_TRIALS:
            raise UserError(f"The number of trials must be between 1 and {MOST_TRIALS}, not {self.trials}.")
        if self.pruner not in PRUNERS:
            raise UserError(f"The pruner must be one of {', '.join(PRUNERS)}, not {self.pruner!r}.")
        check_space(self.space, self.config)

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the contents of config.json."""
        return {
            "name": self.name,
            "space": space_to_json(self.space),
            "trials": self.trials,
            "pruner": self.pruner,
            "remote": self.remote,
        }

    def trial_config(self, params: dict[str, Any]) -> RunConfig:
        """The settings of a trial with these drawn values, rounded to four digits. Raises UserError."""
        values = {name: float(f"{v:.4g}") if isinstance(v, float) else v for name, v in params.items()}
        return RunConfig.from_json({**self.config.to_json(), **values})

    def longer(self, params: dict[str, Any]) -> RunConfig:
        """As `trial_config`, with LONGER times the budget."""
        config = self.trial_config(params)
        return config.changed(
            minutes=None if config.budget.minutes is None else config.budget.minutes * LONGER,
            epochs=None if config.budget.epochs is None else config.budget.epochs * LONGER,
        )


@dataclass(frozen=True)
class TrialInfo:
    """Public state of a trial.

    state: running, done, pruned (stopped early), failed or waiting (interrupted, will be resumed). value: the best val
    RMSE so far, px. done: fraction of the budget used at the last report.
    """

    number: int
    state: str
    value: float | None = None
    done: float = 0.0
    params: dict[str, Any] = field(default_factory=dict)
    run: str = ""
    host: str = ""
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether it counts towards the requested number of trials."""
        return self.state in ("done", "pruned", "failed")


@dataclass(frozen=True)
class SearchInfo:
    """A search as read from its folder."""

    path: Path
    plan: SearchPlan
    trials: tuple[TrialInfo, ...]
    running: bool
    created: float = 0.0  # seconds since the epoch

    @property
    def ended(self) -> int:
        """The number of trials that have ended."""
        return sum(trial.ended for trial in self.trials)


def best_trial(trials: Sequence[TrialInfo]) -> TrialInfo | None:
    """The trial with the smallest error among those that used their whole budget."""
    done = [t for t in trials if t.state == "done" and t.value is not None]
    return min(done, key=lambda t: (t.value, t.number)) if done else None


def ranked(trials: Sequence[TrialInfo]) -> list[TrialInfo]:
    """Best first: finished trials, then those stopped early, running, and failed."""
    return sorted(trials, key=lambda t: (_STATES[t.state], math.inf if t.value is None else t.value, t.number))


def create_search(project: Path, plan: SearchPlan, snapshot: Snapshot) -> Path:
    """Create the search's folder in the project, atomically. Raises UserError."""
    if not ((snapshot.splits == 1) & np.isfinite(snapshot.points).any(axis=(1, 2))).any():
        raise UserError(
            "A search compares errors on val, but no face in val has a labelled point. Move some labelled faces to val."
        )
    if safe_name(plan.name) != plan.name:
        raise UserError(f"No folder can be called {plan.name} on Windows. Choose another name for the search.")
    folder = project / SEARCHES / plan.name
    try:
        folder.parent.mkdir(exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        try:
            beside.chmod(0o755)
            write_inputs(Run(beside), plan.config, snapshot)
            write_plan(beside, plan)
            (beside / WORKERS).mkdir()
            beside.rename(folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    except OSError as error:
        if (folder / PLAN).is_file():
            return folder  # another process was faster
        raise UserError(
            f"The search cannot be created in {folder.parent}: {error.strerror}. Check free space and write permission."
        ) from error
    return folder


def write_plan(folder: Path, plan: SearchPlan) -> None:
    """Write search.json atomically. Raises UserError."""
    _put(folder / PLAN, plan.to_json())


def read_plan(folder: Path) -> SearchPlan:
    """The plan of a search's folder. Raises UserError if it is missing or damaged."""
    try:
        values = read_json(folder / PLAN)
        about = read_about(Run(folder))
        return SearchPlan(
            name=folder.name,
            config=load_config(Run(folder)),
            space=space_from_json(values["space"]),
            trials=_whole(values["trials"]),
            pruner=str(values["pruner"])[:80],
            remote=values["remote"] is True,
            label_hash=str(about["label_hash"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = "damaged" if (folder / PLAN).is_file() else "missing"
        raise UserError(f"The search {folder} cannot be read: its {PLAN} is {what}. Give another --name.") from error


def read_labels(folder: Path) -> Snapshot:
    """The labels and the split that all trials train on. Raises UserError."""
    return load_snapshot(Run(folder))


def write_trials(folder: Path, trials: Sequence[TrialInfo]) -> None:
    """Write the table of trials atomically. Raises UserError."""
    _put(folder / TRIALS, {"trials": [asdict(trial) for trial in trials]})


def read_trials(folder: Path) -> tuple[TrialInfo, ...]:
    """The table of trials; empty if there are none yet or the file cannot be read."""
    try:
        values = read_json(folder / TRIALS, limit=_MOST)
        return tuple(map(_trial, values["trials"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()


def _trial(values: dict[str, Any]) -> TrialInfo:
    """A row of the table. Raises KeyError, TypeError or ValueError if it is malformed."""
    state, value, params = str(values["state"]), values["value"], values["params"]
    if state not in _STATES or not isinstance(params, dict) or any(type(v) in (dict, list) for v in params.values()):
        raise ValueError(f"a trial cannot be {state[:80]}")
    return TrialInfo(
        number=_whole(values["number"]),
        state=state,
        value=None if value is None else _number(value),
        done=_number(values["done"]),
        params=params,
        **{name: str(values[name]) for name in ("run", "host", "message")},
    )


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise ValueError(f"{str(value)[:40]} is not a number of trials")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) < _LARGEST:
        raise ValueError(f"{str(value)[:40]} is not a number")
    return float(value)


def read_search(folder: Path) -> SearchInfo:
    """The search in this folder. Raises UserError."""
    running = is_searching(folder)
    trials = read_trials(folder)
    if not running:
        trials = tuple(replace(t, state="waiting") if t.state == "running" else t for t in trials)
    return SearchInfo(folder, read_plan(folder), trials, running, (folder / "config.json").stat().st_mtime)


def list_searches(project: Path) -> list[SearchInfo]:
    """The searches of a project, sorted by name; unreadable folders are skipped."""
    found = []
    for folder in sorted((project / SEARCHES).glob("*/")):
        try:
            found.append(read_search(folder))
        except UserError:
            continue
    return found


def log_path(project: Path, name: str) -> Path:
    """The log of a search started by the window; beside the search's folder, which may not exist yet."""
    return project / SEARCHES / f"{name}.log"


def request_stop(folder: Path) -> None:
    """Ask all processes of this search to stop their trials, which can be resumed later, and exit."""
    (folder / STOP).touch()


def is_searching(folder: Path) -> bool:
    """Whether any process is running trials of this search."""
    return any(is_held(path) for path in (folder / WORKERS).glob("*"))


@contextmanager
def worker(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock that shows this worker is alive; the system releases it however the process ends."""
    path = folder / WORKERS / name
    path.parent.mkdir(exist_ok=True)
    try:
        with Lock(path):
            yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Mutual exclusion between this machine's processes of the search."""
    with Lock(folder / LOCK):
        yield


def _put(path: Path, values: dict[str, Any]) -> None:
    with replacing(path) as file:
        file.write(json.dumps(values, allow_nan=False, ensure_ascii=False).encode())
