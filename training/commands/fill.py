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
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from training.storage.project.project import Project

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
        help="with --at-most-wrong: errors above this share of the interocular distance count as wrong (5)",
    )
    parser.add_argument(
        "--plain", action="store_true", help="use plain predictions, not conditioned on the face's labels"
    )
    parser.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="where to compute (auto)"
    )


def run(args: argparse.Namespace) -> int:
    from training.storage.project.project import Project
    from training.storage.runs.model.stored_predictions import lacking

    if not 0 <= args.min_confidence <= 1:
        raise UserError(f"--min-confidence must be between 0 and 1, not {args.min_confidence:g}.")
    budget = _budget(args)
    with Project.open(args.project) as project:
        run = find_own_run(args.run_name, project)
        missing = lacking(project, run, project.kept_ids())
        unreadable = predict_into(project, run, missing, device=args.device) if len(missing) else []
        plain = args.plain or not _has_fill(project, run)
        least = args.min_confidence
        if budget is not None:
            least = _least_confidence(project, run.name, budget, plain=plain)
        with progress_of(project, "accept"):
            done = project.accept(run.name, min_confidence=least, plain=plain)
    note_unreadable(unreadable)
    ending = f"; undo in the window reverts it: {args.project}" if done.step else ""
    how = ", plain predictions" if plain else ", conditioned on their labels"
    say(f"{done.points:,} points filled in {len(done.ids):,} faces from {run.name}{how}{ending}")
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


def _has_fill(project: Project, run: Run) -> bool:
    """Whether the run has a fill model; an older run without one gets it fitted on val here."""
    from training.assist.filling.making import make_fill

    try:
        return make_fill(project, run) is not None
    except UserError as error:
        note(str(error))
        return False


def _least_confidence(project: Project, run: str, budget: ErrorBudget, *, plain: bool) -> float:
    """The confidence threshold that meets the budget; prints what it amounts to."""
    from training.assist.filling.accept_budget import affordable_points

    with progress_of(project, "count"):
        found = affordable_points(project, run, budget, plain=plain)
    if found.points:
        say(
            f"within the budget: confidence at least {found.threshold:.1%}; "
            f"{found.wrong:.2%} of these points are expected to be wrong"
        )
    elif found.of:
        say("nothing is within the budget: even the most confident points are expected to be wrong more often")
    return found.threshold
