"""A training that was stopped, so that it can be resumed."""

from __future__ import annotations

from pathlib import Path

from tests.torture import inputs
from tests.torture.forked import in_fork
from training.learning.fit.train_run import train_run
from training.storage.project.project import Project
from training.storage.runs.new_run import create_run
from training.storage.runs.run import Run
from training.storage.runs.settings.config import with_overrides
from training.storage.runs.settings.recipes import recipe_config

SECONDS = 120.0


def stopped_training(folder: Path) -> Run:
    """A run in folder/p.fkp that was stopped in its second epoch."""
    inputs.imported(inputs.kaggle_csv(folder / "training.csv", 40), folder / "p.fkp")
    with Project.open(folder / "p.fkp") as project:
        run = create_run(project, with_overrides(recipe_config("fast"), inputs.TRAINING))
    asked = iter([False] * 4)
    fate = in_fork(lambda: train_run(run, should_stop=lambda: next(asked, True), save_seconds=0.0), seconds=SECONDS)
    if fate.kind != "ok" or not run.resume.is_file():
        raise RuntimeError(f"no training could be stopped: {fate.kind}: {fate.words}")
    return run
