"""fkp adjust: fit a model to one's own way of placing points, from the faces that are labelled."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands.find_run import find_own_run
from training.commands.output import say, say_json, table
from training.commands.predicting import note_unreadable, predict_into


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


def run(args: argparse.Namespace) -> int:
    """Predict what is not predicted yet, fit, show, use."""
    from training.adjust import fit_run, undo_fit, use_fit
    from training.predicted import lacking
    from training.project.project import Project

    with Project.open(args.project) as project:
        run_dir = find_own_run(args.run_name, project)
        if args.undo:
            there = undo_fit(run_dir)
            say(f"{run_dir.name} {'predicts as itself again' if there else 'was not adjusted'}.")
            return 0
        missing = lacking(project, run_dir, project.kept_ids())
        if len(missing):
            note_unreadable(predict_into(project, run_dir, missing))
        fit = fit_run(project, run_dir)
        titles = project.schema.titles
    used = fit.helps and not args.only_try
    if used:
        use_fit(run_dir, fit)
    if args.json:
        offset = dict(zip(titles, fit.adjustment.offset.tolist(), strict=True))
        say_json({"run": run_dir.name, "faces": fit.adjustment.faces, "rmse_before": fit.adjustment.before, "rmse_after": fit.adjustment.after, "used": used, "offset": offset})  # fmt: skip
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
