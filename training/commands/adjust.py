"""fkp adjust: fit a model to one's own way of placing points, from the faces that are labelled."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.commands.shared.find_run import find_own_run
from training.commands.shared.output import say, say_json, table

if TYPE_CHECKING:
    from training.storage.project.project import Project


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT --run RUN [--try | --undo] [--json]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument(
        "--run", required=True, dest="run_name", metavar="RUN", help="name, number or folder of the run, or a starter"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--try", action="store_true", dest="only_try", help="show before and after, change nothing")
    what.add_argument("--undo", action="store_true", help="predict as the model itself again")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _predict(project: Project, run_dir: Path, ids: np.ndarray) -> np.ndarray:
    """Points of the model itself; nothing is kept."""
    from training.learning.evaluation.evaluate import load_for, predict_faces

    index = project.index()
    sizes = np.stack([index.widths, index.heights], axis=1)[ids - 1].astype(np.int32)
    return predict_faces(load_for(project, run_dir, "auto", adjusted=False), project, ids, sizes=sizes)


def run(args: argparse.Namespace) -> int:
    """Predict the labelled faces where that is not done yet, fit, show, use."""
    from training.assist.offsets.fit_to_person import fit_run, to_json, undo_fit, use_fit
    from training.storage.project.project import Project

    with Project.open(args.project, read_only=True) as project:
        run_dir = find_own_run(args.run_name, project)
        if args.undo:
            there = undo_fit(run_dir)
            say(f"{run_dir.name} {'predicts as itself again' if there else 'was not adjusted'}.")
            return 0
        fit = fit_run(project, run_dir, predict=lambda ids: _predict(project, run_dir, ids))
        titles = project.schema.titles
    used = fit.helps and not args.only_try
    if used:
        use_fit(run_dir, fit)
    if args.json:
        say_json({"run": run_dir.name, **to_json(fit, titles), "used": used})
        return 0
    say(fit.sentence)
    say()
    rows = [
        (title, f"{x:+.2f}", f"{y:+.2f}", f"{before:.2f}", f"{after:.2f}")
        for title, (x, y), before, after in zip(
            titles, fit.adjustment.offset.tolist(), fit.before.tolist(), fit.after.tolist(), strict=True
        )
    ]
    for line in table(rows, head=("moved by, px of the input", "x", "y", "RMSE before", "after")):
        say(line)
    say()
    back = f"`fkp adjust {args.project} --run {run_dir.name} --undo` takes it back."
    say(f"{run_dir.name} now predicts so; {back}" if used else "Nothing was changed.")
    return 0
