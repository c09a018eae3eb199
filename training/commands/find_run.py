"""Which run is meant: a run folder, or in a project the name or the number of one."""

from __future__ import annotations

from pathlib import Path

from training.errors import UserError


def find_run(text: str, project: Path | None = None) -> Path:
    """The run folder. Raises UserError, with the runs there are, for anything else."""
    from training.runs import CONFIG, list_runs

    path = Path(text)
    if (path / CONFIG).is_file():
        return path.absolute()
    if project is None:
        raise UserError(f"{text} is not a run folder (it has no {CONFIG}). Give its path: PROJECT/runs/0001-...")
    runs = list_runs(project / "runs")
    found = [r.path for r in runs if r.name == text or (text.isdecimal() and r.number == int(text))]
    if not found:
        names = ", ".join(r.name for r in runs) or "none yet: train one with `fkp train`"
        raise UserError(f"There is no run {text!r} in {project}. Its runs: {names}.")
    return found[0].absolute()


def project_of(run: Path) -> Path:
    """The project folder a run folder lies in: PROJECT/runs/RUN."""
    return run.absolute().parent.parent
