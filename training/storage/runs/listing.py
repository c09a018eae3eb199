"""The runs of a project: which there are, and what state each is in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from training.errors import UserError
from training.files.sentences import reading
from training.storage.runs.events import EpochDone, Event, RunFailed, RunFinished, RunStarted
from training.storage.runs.folder import FOLDER_NAME, has_begun, is_running, load_config, read_about, read_events
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig


@dataclass(frozen=True)
class RunInfo:
    """A run as its folder describes it.

    status: queued, running, done, stopped, failed, interrupted (can be resumed).
    """

    run: Run
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
    def name(self) -> str:
        """`0001-ml-resnet`."""
        return self.run.name

    @property
    def number(self) -> int:
        return self.run.number

    @property
    def is_starter(self) -> bool:
        """Whether it is a model that ships with the program, of which the project has only predictions."""
        return self.run.is_starter

    @property
    def least_error(self) -> float:
        """RMSE on val of the best epoch, px; infinite without any."""
        return math.inf if self.best is None else self.best.rmse

    @property
    def has_model(self) -> bool:
        return self.run.model.is_file()

    def is_stale(self, label_hash: str) -> bool:
        """Whether the project's labels, which have this hash, changed since; a longer hash is of a part of them."""
        return bool(self.label_hash) and self.label_hash.partition("-")[0] != label_hash


def damaged_runs(runs_dir: Path) -> dict[str, str]:
    """The run folders that `list_runs` skips: name -> what is wrong."""
    sentences: dict[str, str] = {}
    for path in sorted(runs_dir.iterdir()) if runs_dir.is_dir() else []:
        if FOLDER_NAME.fullmatch(path.name) and path.is_dir():
            try:
                load_config(Run(path))
            except UserError as error:
                sentences[path.name] = str(error)
    return sentences


def list_runs(runs_dir: Path) -> list[RunInfo]:
    """All runs by number; folders that are not readable runs are skipped."""
    if not runs_dir.is_dir():
        return []
    found = []
    for path in sorted(runs_dir.iterdir(), key=lambda p: (len(p.name.split("-")[0]), p.name)):
        if FOLDER_NAME.fullmatch(path.name) and path.is_dir():
            try:
                found.append(read_run(Run(path)))
            except UserError:
                continue
    return found


def read_run(run: Run) -> RunInfo:
    """Raises UserError where the folder is not a run."""
    about = read_about(run)
    config = RunConfig.from_json(about["config"])
    with reading(run.path):
        running = is_running(run)
        events, _ = read_events(run, progress=False)
    epochs = [e for e in events if isinstance(e, EpochDone)]
    ends = [e for e in events if isinstance(e, (RunStarted, RunFinished, RunFailed))]
    end = ends[-1] if ends else None
    return RunInfo(
        run=run,
        recipe=config.recipe,
        status="running" if running else _status(run, end),
        config=config,
        created=float(about["created"]),
        last=epochs[-1] if epochs else None,
        best=next((e for e in reversed(epochs) if e.best), None),
        message=f"{end.message} {end.hint}".strip() if isinstance(end, RunFailed) else "",
        label_hash=str(about["label_hash"]),
        search=about["search"],
    )


def _status(run: Run, end: Event | None) -> str:
    if end is None:
        return "interrupted" if has_begun(run) else "queued"
    if isinstance(end, RunFinished):
        return end.reason
    return "failed" if isinstance(end, RunFailed) else "interrupted"
