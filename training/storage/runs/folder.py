"""The run folder `runs/NNNN-recipe`: made before training starts, written by it, read by the window and the command
line.

It holds config.json (settings, schema, label hash), labels.npz (the snapshot), events.jsonl, metrics.csv,
model.safetensors (the best), fill.npz (how its errors correlate), resume.pt, log.txt, lock (locked while training) and
stop (its presence asks the trainer to stop).
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
import shutil
import tempfile
import time
import uuid
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Origin
from training.faces.labels.run_names import starter_file
from training.faces.labels.schema import KeypointSchema
from training.npz import read_array
from training.storage.runs.events import EpochDone, Event, RunFailed, RunFinished, RunStarted, from_line
from training.storage.runs.inputs.marking_schemes import project_schemes
from training.storage.runs.settings.config import RunConfig

if TYPE_CHECKING:
    from training.storage.project.project import Project

CONFIG, LABELS, EVENTS, METRICS = "config.json", "labels.npz", "events.jsonl", "metrics.csv"
MODEL, RESUME, LOG, LOCK, STOP = "model.safetensors", "resume.pt", "log.txt", "lock", "stop"
NUMBERS = ".numbers"  # in the folder of the runs: one empty file for each number ever given
_ARRAYS = ("ids", "points", "states", "splits", "sizes")  # of labels.npz, as in Snapshot
_OPTIONAL = ("origins", "schemes", "scheme_names")  # too, but not in every run
_NAME = re.compile(r"(\d{4,})-(.+)")
_GONE = ".gone-"  # a run's folder that is being removed
_PROGRESS = b'{"event":"Progress"'


@dataclass(frozen=True)
class RunInfo:
    """A run as its folder describes it.

    status: queued, running, done, stopped, failed, interrupted (can be resumed).
    """

    path: Path
    name: str  # "0001-ml-resnet"
    number: int
    recipe: str
    status: str
    config: RunConfig
    created: float  # seconds since the epoch
    last: EpochDone | None
    best: EpochDone | None
    message: str  # why it failed, with the hint; else ""
    label_hash: str  # of the labels it was trained on: outdated if the project's differs; "" for a starter
    search: str = ""  # "NAME/7": the random search and the trial it is; "" for a run outside a search

    @property
    def is_starter(self) -> bool:
        """Whether it is a model that ships with the program, of which the project has only predictions."""
        return self.number < 0

    @property
    def least_error(self) -> float:
        """RMSE on val of the best epoch, px; infinite without any."""
        return math.inf if self.best is None else self.best.rmse

    @property
    def has_model(self) -> bool:
        return model_file(self.path).is_file()

    def is_stale(self, label_hash: str) -> bool:
        """Whether the project's labels, which have this hash, changed since; a longer hash is of a part of them."""
        return bool(self.label_hash) and self.label_hash.partition("-")[0] != label_hash


@dataclass(frozen=True)
class Snapshot:
    """The labels of N samples as a run uses them.

    ids: int64 [N]. points: float64 [N, K, 2], px of the original image, NaN where missing. states: uint8 [N, K].
    splits: uint8 [N], 0 train, 1 val, 2 test. sizes: int32 [N, 2], width and height of the original images.
    origins: uint8 [N, K], Origin: who made a point; None in older runs.
    schemes: int64 [N], the marking scheme of each, an index into scheme_names (str [S]); both None where there is one.
    """

    ids: np.ndarray
    points: np.ndarray
    states: np.ndarray
    splits: np.ndarray
    sizes: np.ndarray
    schema: KeypointSchema
    label_hash: str
    origins: np.ndarray | None = None
    schemes: np.ndarray | None = None
    scheme_names: np.ndarray | None = None


def model_file(run: Path) -> Path:
    """The model of a run folder, of a starter's path, or the model file itself. It need not exist."""
    return run / MODEL if run.is_dir() else starter_file(run.name) or run


def snapshot_project(project: Project) -> Snapshot:
    """The current labels of all samples of a project."""
    index = project.index()
    labels = project.labels(index.ids)
    sizes = np.stack([index.widths, index.heights], axis=1).astype(np.int32)
    return Snapshot(
        index.ids,
        labels.points,
        labels.states,
        index.splits,
        sizes,
        project.schema,
        project.label_hash(),
        labels.origins,
    )


def create_run(project: Project, config: RunConfig) -> Path:
    """Make the folder of a new run in the project, with the current labels. Slow: call it off the interface thread.

    Raises UserError where there is nothing to train on or the folder cannot be written.
    """
    return write_run(project.runs_dir, config, with_schemes(project, snapshot_project(project), config))


def with_schemes(project: Project, snapshot: Snapshot, config: RunConfig) -> Snapshot:
    """A snapshot of the project with the marking schemes that the settings ask for."""
    labelled = np.isfinite(snapshot.points).all(axis=-1)
    if snapshot.origins is not None:
        labelled &= ~np.isin(snapshot.origins, (Origin.MODEL, Origin.INTERPOLATED))
    how = config.schemes if config.label_offset else "one"
    found = project_schemes(project, labelled, snapshot.splits, how=how)
    return snapshot if found is None else replace(snapshot, schemes=found.rows, scheme_names=np.array(found.names))


def write_run(runs_dir: Path, config: RunConfig, snapshot: Snapshot, *, search: str = "") -> Path:
    """Make a run folder from a snapshot: written under another name, then renamed to one more than the largest number.

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
            write_inputs(beside, config, snapshot, search=search)
            return _take_number(beside, runs_dir, config.recipe)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    except OSError as error:
        raise UserError(
            f"The run cannot be created in {runs_dir}: {error.strerror}. Check free space and write permission."
        ) from error


def write_inputs(folder: Path, config: RunConfig, snapshot: Snapshot, *, search: str = "") -> None:
    there = [name for name in (*_ARRAYS, *_OPTIONAL) if getattr(snapshot, name) is not None]
    np.savez(folder / LABELS, **{name: getattr(snapshot, name) for name in there})
    about = {
        "config": config.to_json(),
        "schema": snapshot.schema.to_json(),
        "label_hash": snapshot.label_hash,
        "created": time.time(),
        **({"search": search} if search else {}),
    }
    (folder / CONFIG).write_text(json.dumps(about, indent=1), encoding="utf-8")


def _take_number(beside: Path, runs_dir: Path, recipe: str) -> Path:
    """Rename to the next number never used by a run, since points accepted from a discarded run keep its number.

    A number is claimed by creating its file in `.numbers`, which only one process can do.
    """
    taken = runs_dir / NUMBERS
    taken.mkdir(exist_ok=True)
    while True:
        number = max(_numbers(runs_dir), default=0) + 1
        try:
            (taken / str(number)).touch(exist_ok=False)
        except FileExistsError:  # another process was faster
            continue
        run_dir = runs_dir / f"{number:04d}-{recipe}"
        beside.rename(run_dir)
        return run_dir


def _numbers(runs_dir: Path) -> list[int]:
    found = (_NAME.fullmatch(p.name) for p in runs_dir.iterdir())
    taken = (p.name for p in (runs_dir / NUMBERS).iterdir())
    return [*(int(m.group(1)) for m in found if m), *(int(name) for name in taken if name.isdecimal())]


def load_snapshot(run_dir: Path) -> Snapshot:
    """The run's labels. Raises UserError where the file is missing or damaged."""
    about = _read_about(run_dir)
    try:
        with zipfile.ZipFile(run_dir / LABELS) as archive:
            there = [name for name in _OPTIONAL if f"{name}.npy" in archive.namelist()]
            values = {name: read_array(archive, name) for name in (*_ARRAYS, *there)}
    except (OSError, KeyError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:
        what = "damaged" if (run_dir / LABELS).is_file() else "missing"
        raise UserError(
            f"The labels of the run {run_dir.name} cannot be read: {LABELS} is {what}; train again."
        ) from error
    return Snapshot(**values, schema=KeypointSchema.from_json(about["schema"]), label_hash=str(about["label_hash"]))


def load_schemes(run_dir: Path, count: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Samples (ascending) and their marking schemes, int64 [N], from a run with `count` schemes; None where it has
    none.
    """
    try:
        with zipfile.ZipFile(run_dir / LABELS) as archive:
            ids, schemes = read_array(archive, "ids"), read_array(archive, "schemes")
    except (OSError, KeyError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile):
        return None  # the model then uses its default scheme
    whole = ids.shape == schemes.shape == (len(ids),) and len(ids) > 0
    return (ids, schemes) if whole and schemes.min() >= 0 and schemes.max() < count else None


def load_config(run_dir: Path) -> RunConfig:
    """The run's settings. Raises UserError."""
    return RunConfig.from_json(_read_about(run_dir)["config"])


def _read_about(run_dir: Path) -> dict[str, Any]:
    try:
        about = json.loads((run_dir / CONFIG).read_text(encoding="utf-8"))
        known = {key: about[key] for key in ("config", "schema", "label_hash", "created")}
        return {**known, "search": str(about.get("search", ""))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = "damaged" if (run_dir / CONFIG).is_file() else "missing"
        raise UserError(f"The run {run_dir} cannot be read: its {CONFIG} is {what}. Train again.") from error


def damaged_runs(runs_dir: Path) -> dict[str, str]:
    """The run folders that `list_runs` skips: name -> what is wrong."""
    sentences: dict[str, str] = {}
    for path in sorted(runs_dir.iterdir()) if runs_dir.is_dir() else []:
        if _NAME.fullmatch(path.name) and path.is_dir():
            try:
                load_config(path)
            except UserError as error:
                sentences[path.name] = str(error)
    return sentences


def list_runs(runs_dir: Path) -> list[RunInfo]:
    """All runs by number; folders that are not readable runs are skipped."""
    if not runs_dir.is_dir():
        return []
    found = []
    for path in sorted(runs_dir.iterdir(), key=lambda p: (len(p.name.split("-")[0]), p.name)):
        if _NAME.fullmatch(path.name) and path.is_dir():
            try:
                found.append(read_run(path))
            except UserError:
                continue
    return found


def read_run(run_dir: Path) -> RunInfo:
    """Raises UserError where the folder is not a run."""
    about = _read_about(run_dir)
    name = _NAME.fullmatch(run_dir.name)
    config = RunConfig.from_json(about["config"])
    running = is_running(run_dir)
    events, _ = read_events(run_dir, progress=False)
    epochs = [e for e in events if isinstance(e, EpochDone)]
    ends = [e for e in events if isinstance(e, (RunStarted, RunFinished, RunFailed))]
    end = ends[-1] if ends else None
    return RunInfo(
        path=run_dir,
        name=run_dir.name,
        number=int(name.group(1)) if name else 0,
        recipe=config.recipe,
        status="running" if running else _status(run_dir, end),
        config=config,
        created=float(about["created"]),
        last=epochs[-1] if epochs else None,
        best=next((e for e in reversed(epochs) if e.best), None),
        message=f"{end.message} {end.hint}".strip() if isinstance(end, RunFailed) else "",
        label_hash=str(about["label_hash"]),
        search=about["search"],
    )


def has_begun(run_dir: Path) -> bool:
    """Whether anything was trained, even if its events are lost or damaged."""
    events = run_dir / EVENTS
    return (run_dir / RESUME).exists() or (events.is_file() and events.stat().st_size > 0)


def _status(run_dir: Path, end: Event | None) -> str:
    if end is None:
        return "interrupted" if has_begun(run_dir) else "queued"
    if isinstance(end, RunFinished):
        return end.reason
    return "failed" if isinstance(end, RunFailed) else "interrupted"


def read_events(run_dir: Path, *, after: int = 0, progress: bool = True) -> tuple[list[Event], int]:
    """The events after a byte offset, and the offset to continue from. An unfinished last line is left for later.

    After resuming, the file can be shorter than `after` (it is cut to the last checkpoint); it is then read from the
    start. progress=False skips Progress events, which are most lines of a long run.
    """
    try:
        with (run_dir / EVENTS).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = after if after <= size else 0
            file.seek(start)
            data = file.read()
    except FileNotFoundError:
        return [], 0
    whole = data.rfind(b"\n") + 1
    lines = (line for line in data[:whole].splitlines() if progress or not line.startswith(_PROGRESS))
    return [event for event in map(_parse, lines) if event is not None], start + whole


def _parse(line: bytes) -> Event | None:
    """The event of a line, or None for one cut off by a power failure."""
    try:
        return from_line(line.decode("utf-8"))
    except (ValueError, AttributeError):  # the latter: JSON, but no object
        return None


def is_running(run_dir: Path) -> bool:
    """Whether a trainer holds the run's lock."""
    try:
        with (run_dir / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def request_stop(run_dir: Path) -> None:
    """Ask the trainer to finish its batch, keep the best model and end. Also ends a run that has not started."""
    (run_dir / STOP).touch()


def discard_run(run_dir: Path) -> None:
    """Raises UserError while the run is training."""
    if is_running(run_dir):
        raise UserError(f"The run {run_dir.name} is still training; stop it first.")
    try:
        run_dir.rename(run_dir.with_name(f"{_GONE}{uuid.uuid4().hex}"))
    except OSError as error:
        raise UserError(f"The run {run_dir.name} cannot be removed: {error.strerror}.") from error
    for gone in run_dir.parent.glob(f"{_GONE}*"):  # and what an interrupted removal left behind
        shutil.rmtree(gone, ignore_errors=True)
