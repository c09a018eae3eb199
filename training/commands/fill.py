"""fkp fill: predict every face of a project and accept the missing points given the labelled ones, in one undo step."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.shared.find_run import find_own_run
from training.commands.shared.output import note, say
from training.commands.shared.predict_all import note_unreadable, predict_into, progress_of
from training.errors import UserError
from training.faces.measures.error_budget import ErrorBudget

if TYPE_CHECKING:
    from training.assist.filling.fill import Filled

SMALLEST_BEYOND = 2  # percent; confidences refer to 10 % and say too little about smaller limits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT --run RUN [--min-confidence C | --at-most-wrong PERCENT [--beyond PERCENT]] [--plain]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument(
        "--run", required=True, dest="run_name", metavar="RUN", help="name, number or folder of the run"
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--min-confidence", type=float, default=0.0, metavar="C", help="minimum confidence to accept (0)"
    )
    chosen.add_argument(
        "--at-most-wrong",
        type=float,
        metavar="PERCENT",
        help="accept the most confident points, with an expected share of wrong ones of at most this",
    )
    parser.add_argument(
        "--beyond",
        type=float,
        metavar="PERCENT",
        help="with --at-most-wrong: errors above this share of the inter-ocular distance count as wrong (5)",
    )
    parser.add_argument(
        "--plain", action="store_true", help="use plain predictions, not conditioned on the face's labels"
    )
    parser.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="where to compute (auto)"
    )


def run(args: argparse.Namespace) -> int:
    from training.assist.filling.fill import FillOptions, fill_missing
    from training.storage.project.project import Project

    if not 0 <= args.min_confidence <= 1:
        raise UserError(f"--min-confidence must be between 0 and 1, not {args.min_confidence:g}.")
    options = FillOptions(args.min_confidence, _budget(args), args.plain)
    with Project.open(args.project) as project:
        run = find_own_run(args.run_name, project)
        filled = fill_missing(
            project,
            run,
            options,
            predict=lambda ids: predict_into(project, run, ids, device=args.device),
            progress=lambda stage: progress_of(project, stage),
        )
    _report(filled, run.name, args.project)
    return 0


def _budget(args: argparse.Namespace) -> ErrorBudget | None:
    """The budget from --at-most-wrong and --beyond. Raises UserError."""
    if args.at_most_wrong is None:
        if args.beyond is not None:
            raise UserError("--beyond requires --at-most-wrong.")
        return None
    beyond = 5.0 if args.beyond is None else args.beyond
    if not 0 < args.at_most_wrong < 100:
        raise UserError(f"--at-most-wrong must be between 0 and 100 percent, not {args.at_most_wrong:g}.")
    if not SMALLEST_BEYOND <= beyond <= 100:
        raise UserError(f"--beyond must be between {SMALLEST_BEYOND} and 100 percent, not {beyond:g}.")
    return ErrorBudget(args.at_most_wrong / 100, beyond / 100)


def _report(filled: Filled, run: str, project: Path) -> None:
    if filled.fault:
        note(filled.fault)
    allowed, done = filled.allowed, filled.edited
    if allowed is not None and allowed.points:
        say(
            f"within the budget: confidence at least {allowed.threshold:.1%}; "
            f"{allowed.wrong:.2%} of these points are expected to be wrong"
        )
    elif allowed is not None and allowed.of:
        say("nothing is within the budget: even the most confident points are expected to be wrong more often")
    note_unreadable(filled.unreadable)
    ending = f"; undo in the window reverts it: {project}" if done.step else ""
    how = ", conditioned on their labels" if filled.given else ", plain predictions"
    say(f"{done.points:,} points filled in {len(done.ids):,} faces from {run}{how}{ending}")
