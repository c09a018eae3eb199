"""fkp fill: predict all faces of a project and accept the missing points, as one undo step."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands.find_run import find_own_run
from training.commands.output import say
from training.commands.predicting import note_unreadable, predict_into
from training.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT --run RUN [--min-confidence C]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument(
        "--run", required=True, dest="run_name", metavar="RUN", help="name, number or folder of the run"
    )
    parser.add_argument(
        "--min-confidence", type=float, default=0.0, metavar="C", help="accept from this confidence on (0)"
    )
    parser.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="where to compute (auto)"
    )


def run(args: argparse.Namespace) -> int:
    """Predict, store, accept."""
    from training.predicted import lacking
    from training.project.project import Project

    if not 0 <= args.min_confidence <= 1:
        raise UserError(f"--min-confidence lies between 0 and 1, not {args.min_confidence:g}.")
    with Project.open(args.project) as project:
        run_dir = find_own_run(args.run_name, project)
        missing = lacking(project, run_dir, project.ids())
        unreadable = predict_into(project, run_dir, missing, device=args.device) if len(missing) else []
        done = project.accept(run_dir.name, min_confidence=args.min_confidence)
    note_unreadable(unreadable)
    ending = f"; undo in the window takes it back: {args.project}" if done.step else ""
    say(f"{done.points:,} points filled in {len(done.ids):,} faces from {run_dir.name}{ending}")
    return 0
