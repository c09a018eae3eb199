"""How an experiment is run, and where its report is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.experiments.papers.definition import Budget


FOLDER = "experiments"  # in the project: one folder per experiment
LOCK = "lock"  # in an experiment's folder: held and signed by the process that conducts it


@dataclass(frozen=True)
class Options:
    """How an experiment is run.

    side_by_side: number of parallel trainings. folder: for the report; None: in the project. hide: the share of the
    complete train faces whose labels are hidden (`hiding.hide_labels`).
    """

    budget: Budget
    side_by_side: int
    split: str = "val"
    folder: Path | None = None
    hide: float = 0.0


def report_folder(project: Path, name: str, hide: float) -> Path:
    """The report's folder in the project; runs with hidden labels get one of their own."""
    return project / FOLDER / (f"{name}-hidden-{100 * hide:g}" if hide else name)


def default_jobs() -> int:
    """One parallel training per available core."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
