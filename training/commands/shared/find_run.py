"""Resolves the RUN argument: a run folder, a run's name or number within a project, or a starter's name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from training.errors import UserError
from training.faces.labels.run_names import is_starter

if TYPE_CHECKING:
    from training.storage.project.project import Project


def find_run(text: str, project: Path | None = None) -> Path:
    """The run folder. Raises UserError, listing the available runs, if there is no such run."""
    from training.storage.runs.folder import CONFIG, damaged_runs, list_runs

    path = Path(text)
    if (path / CONFIG).is_file():
        return path.absolute()
    if is_starter(text):
        return _starter(text, project)
    if project is None:
        raise UserError(f"{text} is not a run folder (it has no {CONFIG}). Give its path: PROJECT/runs/0001-...")
    runs = list_runs(project / "runs")
    found = [r.path for r in runs if r.name == text or (text.isdecimal() and r.number == int(text))]
    if not found:
        for name, sentence in damaged_runs(project / "runs").items():
            if text in (name, name.split("-")[0].lstrip("0")):
                raise UserError(sentence)
        names = ", ".join(r.name for r in runs) or "none yet: train one with `fkp train`"
        raise UserError(f"There is no run {text!r} in {project}. Its runs: {names}.")
    return found[0].absolute()


def _starter(name: str, project: Path | None) -> Path:
    """The starter's model file, or, within a project, the path that represents it among the runs."""
    from training.storage.runs.folder import model_file
    from training.storage.runs.model.starters import starters

    there = [starter.name for starter in starters()]
    if name not in there:
        raise UserError(f"There is no starter {name!r}; the starters {_are(there)}.")
    return model_file(Path(name)) if project is None else (project / "runs" / name).absolute()


def _are(names: list[str]) -> str:
    return f"are {', '.join(names)}" if names else "are not part of this installation"


def find_own_run(text: str, project: Project) -> Path:
    """As find_run, but raises UserError for a run that is not in this project."""
    run_dir = find_run(text, project.path)
    if run_dir.parent.resolve() != project.runs_dir.resolve():
        raise UserError(
            f"{run_dir} is a run of another project. Give a run of {project.path}, or write a CSV with `fkp predict`."
        )
    return run_dir
