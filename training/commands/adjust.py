"""fkp adjust: calibrate a model to the project's labels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.commands.shared.find_run import find_own_run
from training.commands.shared.output import say, say_json, table
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from training.storage.project.project import Project


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT --run RUN [--try | --undo] [--json]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument(
        "--run", required=True, dest="run_name", metavar="RUN", help="name, number or folder of the run, or a starter"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--try", action="store_true", dest="only_try", help="show the errors before and after without changing anything"
    )
    what.add_argument("--undo", action="store_true", help="remove the calibration")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _predict(project: Project, run: Run, ids: np.ndarray) -> np.ndarray:
    """Points of the unadjusted model; not stored."""
    from training.learning.evaluation.evaluate import load_for, predict_faces

    index = project.index()
    sizes = np.stack([index.widths, index.heights], axis=1)[ids - 1].astype(np.int32)
    return predict_faces(load_for(project, run, "auto", adjusted=False), project, ids, sizes=sizes)


def run(args: argparse.Namespace) -> int:
    """Predict the labelled faces that lack predictions, fit, report, and use the fit if it helps."""
    from training.assist.offsets.calibrate_to_labels import fit_run, to_json, undo_fit, use_fit
    from training.storage.project.project import Project

    with Project.open(args.project, read_only=True) as project:
        run = find_own_run(args.run_name, project)
        if args.undo:
            there = undo_fit(run)
            say(f"{run.name} {'is no longer calibrated' if there else 'was not calibrated'}.")
            return 0
        fit = fit_run(project, run, predict=lambda ids: _predict(project, run, ids))
        titles = project.schema.titles
    used = fit.helps and not args.only_try
    if used:
        use_fit(run, fit)
    if args.json:
        say_json({"run": run.name, **to_json(fit, titles), "used": used})
        return 0
    say(fit.sentence)
    say()
    rows = [
        (title, f"{x:+.2f}", f"{y:+.2f}", f"{before:.2f}", f"{after:.2f}")
        for title, (x, y), before, after in zip(
            titles, fit.adjustment.offset.tolist(), fit.before.tolist(), fit.after.tolist(), strict=True
        )
    ]
    for line in table(rows, head=("offset, input px", "x", "y", "RMSE before", "after")):
        say(line)
    say()
    back = f"`fkp adjust {args.project} --run {run.name} --undo` reverts it."
    say(f"{run.name} is now calibrated; {back}" if used else "No changes were made.")
    return 0
