"""Conducts an experiment from the project to the finished report; called by the command and, through it, the window."""

from __future__ import annotations

import importlib.util
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.errors import UserError
from training.experiments.experiment_events import ExperimentDone, ExperimentEvent, ExperimentStarted, Measuring
from training.experiments.hiding import Hidden, hide_labels
from training.experiments.options import FOLDER, LOCK, Options, report_folder
from training.experiments.papers.definition import Experiment, differ_in_rows_only, missing_recipes
from training.experiments.plan import Job, Setting, check_rows, expected_seconds, make_plan, plan_sentence
from training.experiments.report.saved_table import CSV, JSON, MARKDOWN, PAGE
from training.experiments.runner import Runner
from training.faces.labels.samples import Split
from training.files.sentences import writing
from training.processes.locks import Lock
from training.progress import Cancelled, Progress
from training.storage.destination import Result, check_destination
from training.storage.project.project import Project
from training.storage.runs.inputs.snapshot import Snapshot, snapshot_project
from training.storage.runs.start import TRAIN

if TYPE_CHECKING:
    from training.experiments.report.report import Report

Tell = Callable[[ExperimentEvent], None]
_LOCK_SECONDS = 0.5


def conduct(
    experiment: Experiment,
    path: Path,
    options: Options,
    *,
    tell: Tell,
    stop: threading.Event,
    command: Sequence[str] = TRAIN,
) -> bool:
    """Run the experiment on the project at `path`, passing its events to `tell`.

    Returns False if it was stopped before there was a table. Raises UserError for problems the user can fix.
    """
    check_installed()
    lacking = missing_recipes(experiment)
    if lacking:
        raise UserError(
            f"{experiment.name} needs the recipes {', '.join(lacking)}, which are not part of this version."
        )
    with Project.open(path, read_only=True) as project, hold(project.path / FOLDER / experiment.name):
        folder = _report_folder(options.folder, project, experiment, options.hide)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()  # fail now rather than after hours of training
        try:
            if experiment.kind == "speed":
                _measure_speed(experiment, project, folder, tell=tell, stop=stop)
            else:
                _train_and_measure(experiment, project, options, folder=folder, tell=tell, stop=stop, command=command)
        except Cancelled:
            return False
    return True


def _report_folder(asked: Path | None, project: Project, experiment: Experiment, hide: float) -> Path:
    """Where the report goes. Raises UserError where it could overwrite other files than those of an earlier report."""
    own = report_folder(project.path, experiment.name, hide)
    if asked is None or asked.resolve() == own.resolve():
        return own
    check_destination(asked, Result.FOLDER, project=project)
    if all((asked / name).is_file() for name in (PAGE, JSON)):
        return asked
    with writing(asked):
        for path in asked.iterdir() if asked.is_dir() else ():
            if path.name in (PAGE, MARKDOWN, CSV, JSON) or path.suffix in (".svg", ".png"):
                raise UserError(
                    f"{path}: the report could overwrite this file, which is not of one; choose another folder."
                )
    return asked


def check_installed() -> None:
    """Raise UserError where matplotlib is missing: it draws the figures, after hours of training."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError(
            "Experiments draw their figures with matplotlib, which is not installed. "
            "Install it: pip install 'fkp-studio[experiments]'"
        )


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the lock of an experiment's folder, creating the folder. Raises UserError if another process holds it."""
    lock = Lock(folder / LOCK)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = lock.acquire(wait=_LOCK_SECONDS)
    if not free:
        raise UserError(
            f"The experiment {folder.name} is already running on this project; wait for it, or stop it first."
        )
    with lock:
        lock.sign()
        yield


def _train_and_measure(
    experiment: Experiment,
    project: Project,
    options: Options,
    *,
    folder: Path,
    tell: Tell,
    stop: threading.Event,
    command: Sequence[str],
) -> None:
    snapshot, hidden = _snapshot(project, options)
    plan = make_plan(experiment, options.budget)
    _check(plan, snapshot, options)
    tell(_started(experiment, plan, options, snapshot))
    runner = Runner(project.runs_dir, snapshot, side_by_side=options.side_by_side, tell=tell, command=command)
    runs = runner.train(plan, stop)
    if stop.is_set():
        raise Cancelled
    if not runs:
        raise UserError(f"No training of {experiment.name} finished. {next(iter(runner.failures.values()))}")
    report = _reporter(tell, stop)
    setting = Setting(project.name, options.split, options.budget, options.side_by_side, snapshot, hidden)
    _write(experiment, project, setting, folder=folder, runner=runner, tell=tell, report=report)


def _snapshot(project: Project, options: Options) -> tuple[Snapshot, Hidden | None]:
    whole = snapshot_project(project)
    return hide_labels(whole, options.hide) if options.hide else (whole, None)


def _reporter(tell: Tell, stop: threading.Event) -> Callable[[float], None]:
    """Reports the progress of measuring; raises Cancelled on a stop request."""
    step = Progress(lambda done, _text: tell(Measuring(round(done, 2))), stop.is_set)
    return lambda done: step(done, "")


def _check(plan: Sequence[Job], snapshot: Snapshot, options: Options) -> None:
    check_rows(plan, snapshot)
    if options.side_by_side < 1:
        raise UserError(f"The number of parallel trainings must be at least 1, not {options.side_by_side}.")
    labelled = np.isfinite(snapshot.points).all(axis=-1).any(axis=1)
    if not (labelled & (snapshot.splits == Split[options.split.upper()])).any():
        raise UserError(f"The {options.split} split has no labelled face to measure on; choose another with --split.")


def _started(experiment: Experiment, plan: Sequence[Job], options: Options, snapshot: Snapshot) -> ExperimentStarted:
    seconds = expected_seconds(plan, side_by_side=options.side_by_side)
    runs = tuple((job.arm.name, job.arm.title, job.seed) for job in plan)
    sentence = f"{plan_sentence(experiment, options)} {_alike(experiment, snapshot)}".strip()
    return ExperimentStarted(experiment.name, experiment.title, runs, sentence, seconds)


def _alike(experiment: Experiment, snapshot: Snapshot) -> str:
    """A warning if two arms are identical because no train face lacks a label; else empty."""
    present = np.isfinite(snapshot.points).all(axis=-1)[snapshot.splits == 0]
    pairs = [(experiment.arm(c.better), experiment.arm(c.worse)) for c in experiment.claims]
    alike = next((pair for pair in pairs if differ_in_rows_only(*pair)), None)
    if alike is None or not present[present.any(axis=1)].all():
        return ""
    return (
        f"Every labelled train face has all its labels, so {alike[0].word} and {alike[1].word} train identically here; "
        "hide some labels (--hide 0.7) to compare them."
    )


def _write(
    experiment: Experiment,
    project: Project,
    setting: Setting,
    *,
    folder: Path,
    runner: Runner,
    tell: Tell,
    report: Callable[[float], None],
) -> None:
    from training.experiments.measure_runs import measure
    from training.experiments.report.report import training_report
    from training.experiments.report.write import write_report

    results = measure(
        experiment,
        project,
        setting.split,
        runs=runner.finished,
        failed=runner.failures,
        report=report,
    )
    written = training_report(results, setting)
    tell(_done(written, write_report(written, folder)))


def _measure_speed(
    experiment: Experiment, project: Project, folder: Path, *, tell: Tell, stop: threading.Event
) -> None:
    from training.experiments.report.network_speed import measure_networks, speed_report
    from training.experiments.report.write import write_report

    sentence = (
        f"Measures {len(experiment.arms)} networks with {len(project.schema)} keypoints; nothing is trained. "
        "Takes a minute or two on an idle machine."
    )
    tell(ExperimentStarted(experiment.name, experiment.title, (), sentence, 60.0))
    found = measure_networks(experiment, len(project.schema), report=_reporter(tell, stop))
    report = speed_report(experiment, found, len(project.schema), project=project.name)
    page = write_report(report, folder)
    tell(_done(report, page))


def _done(report: Report, page: Path) -> ExperimentDone:
    return ExperimentDone(str(page), str(page.parent), report.table.head, report.table.rows, report.sentences)
