"""Plans an experiment: the trainings it needs, those already done, and the expected duration of the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.errors import UserError
from training.experiments.hiding import Hidden
from training.experiments.options import Options
from training.experiments.papers.definition import Arm, Budget, Experiment, arm_config
from training.storage.runs.folder import can_resume
from training.storage.runs.inputs.snapshot import Snapshot, load_snapshot
from training.storage.runs.listing import RunInfo
from training.storage.runs.settings.config import RunConfig
from training.words import counted

_AROUND_SECONDS = 12.0  # overhead per run: start-up, evaluation and final calibration
_RANK = {"done": 0, "running": 1, "stopped": 2, "interrupted": 3}


@dataclass(frozen=True)
class Setting:
    """How the experiment was run, for the report. hidden: None if no labels were hidden."""

    project: str
    split: str
    budget: Budget
    side_by_side: int
    snapshot: Snapshot
    hidden: Hidden | None


@dataclass(frozen=True)
class Job:
    """One training of an experiment."""

    arm: Arm
    seed: int
    config: RunConfig

    @property
    def key(self) -> tuple[str, int]:
        """(arm, seed)."""
        return self.arm.name, self.seed


def make_plan(experiment: Experiment, budget: Budget) -> tuple[Job, ...]:
    """All trainings, seed by seed, so that an early stop covers every arm. Raises UserError for invalid settings."""
    return tuple(
        Job(arm, seed, arm_config(arm, budget, seed=seed)) for seed in range(budget.seeds) for arm in experiment.trained
    )


def check_rows(plan: Sequence[Job], snapshot: Snapshot) -> None:
    """Raises UserError if an arm would have nothing to train on."""
    present = np.isfinite(snapshot.points).all(axis=-1)
    train = snapshot.splits == 0
    if not (train & present.any(axis=1)).any():
        raise UserError("There is nothing to train on: no sample of the train split has a labelled point.")
    if any(job.config.data.rows == "complete" for job in plan) and not (train & present.all(axis=1)).any():
        raise UserError(
            "One arm trains on complete faces only, and no sample of the train split has every point labelled. "
            "Label some faces completely, or run another experiment."
        )


def find_done(job: Job, runs: Sequence[RunInfo], snapshot: Snapshot) -> RunInfo | None:
    """A run with the same settings, budget, seed, labels and split, preferring finished ones; None if there is none."""
    fitting = [
        info
        for info in runs
        if info.status in _RANK and info.config == job.config and info.label_hash == snapshot.label_hash
    ]
    for info in sorted(fitting, key=lambda i: (_RANK[i.status], i.number)):
        if (_can_be_used(info)) and _same_split(info, snapshot):
            return info
    return None


def _can_be_used(info: RunInfo) -> bool:
    if info.status == "done":
        return info.has_model
    return info.status == "running" or can_resume(info.run)


def _same_split(info: RunInfo, snapshot: Snapshot) -> bool:
    try:
        theirs = load_snapshot(info.run)
    except UserError:
        return False
    return np.array_equal(theirs.ids, snapshot.ids) and np.array_equal(theirs.splits, snapshot.splits)


def expected_seconds(plan: Sequence[Job], *, side_by_side: int) -> float | None:
    """Expected duration of these trainings in seconds; None for budgets in epochs, whose length is unknown."""
    if any(job.config.budget.minutes is None for job in plan):
        return None
    each = [60 * (job.config.budget.minutes or 0) + _AROUND_SECONDS for job in plan]
    return max(math.ceil(sum(each) / side_by_side), max(each, default=0.0))


def duration_text(seconds: float) -> str:
    """`40 seconds`, `12 minutes`, `1 h 05 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def plan_sentence(experiment: Experiment, options: Options) -> str:
    """What will be trained and how long it takes if nothing is done yet."""
    if experiment.kind == "speed":
        return (
            f"Measures {len(experiment.arms)} networks; nothing is trained. Takes a minute or two on an idle machine."
        )
    plan = make_plan(experiment, options.budget)
    seconds = expected_seconds(plan, side_by_side=options.side_by_side)
    arms, seeds = len(experiment.trained), options.budget.seeds
    takes = f", about {duration_text(seconds)} in total" if seconds is not None else ""
    each = f"{arms} networks, {counted(seeds, 'seed')} each"
    per = " per network" if any(arm.networks > 1 for arm in experiment.trained) else ""
    return f"{len(plan)} trainings ({each}) of {options.budget.words}{per}, {options.side_by_side} at a time{takes}."
