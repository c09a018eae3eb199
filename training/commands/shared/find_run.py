"""Resolves the RUN argument: a run folder, a run's name or number within a project, or a starter's name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from training.errors import UserError
from training.faces.labels.run_names import is_starter
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from training.storage.project.project import Project


def find_run(text: str, project: Path | None = None) -> Run:
    """The run. Raises UserError, listing the available runs, if there is no such run."""
    from training.storage.runs.listing import damaged_runs, list_runs

    run = Run(Path(text).absolute())
    if run.config.is_file():
        return run
    if is_starter(text):
        return _starter(text, project)
    if project is None:
        raise UserError(
            f"{text} is not a run folder (it has no {run.config.name}). Give its path: PROJECT/runs/0001-..."
        )
    runs = list_runs(project / "runs")
    found = [r.run for r in runs if r.name == text or (text.isdecimal() and r.number == int(text))]
    if not found:
        for name, sentence in damaged_runs(project / "runs").items():
            if text in (name, name.split("-")[0].lstrip("0")):
                raise UserError(sentence)
        names = ", ".join(r.name for r in runs) or "none yet: train one with `fkp train`"
        raise UserError(f"There is no run {text!r} in {project}. Its runs: {names}.")
    return Run(found[0].path.absolute())


def _starter(name: str, project: Path | None) -> Run:
    """The starter within a project; without one, its model file."""
    from training.storage.runs.model.starters import starters

    there = [starter.name for starter in starters()]
    if name not in there:
        raise UserError(f"There is no starter {name!r}; the starters {_are(there)}.")
    return Run(Run(Path(name)).model) if project is None else Run((project / "runs" / name).absolute())


def _are(names: list[str]) -> str:
    return f"are {', '.join(names)}" if names else "are not part of this installation"


def find_own_run(text: str, project: Project) -> Run:
    """As find_run, but raises UserError for a run that is not in this project."""
    run = find_run(text, project.path)
    if run.path.parent.resolve() != project.runs_dir.resolve():
        raise UserError(
            f"{run} is a run of another project. Give a run of {project.path}, or write a CSV with `fkp predict`."
        )
    return run
