"""fkp evaluate: report the errors of a run."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.commands.shared.evaluation_text import (
    calibration_facts,
    calibration_lines,
    pose_lines,
    protocol_facts,
    protocol_lines,
    split_facts,
    split_lines,
)
from training.commands.shared.find_run import find_run
from training.commands.shared.output import say, say_json
from training.errors import UserError
from training.faces.measures.protocols import PROTOCOLS
from training.storage.runs.model.adjustment import Adjustment, read_adjustment
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from training.storage.project.project import Project

MOST_BINS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT --run RUN [--split S | --protocol P] [--by-pose K | --calibration] [--without-fit] [--json]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument(
        "--run", required=True, dest="run_name", metavar="RUN", help="name, number or folder of the run"
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--split", default="val", choices=("val", "test", "train"), help="the split to evaluate (val)")
    chosen.add_argument(
        "--protocol", choices=tuple(PROTOCOLS), help="a data set's evaluation protocol, on its own subsets"
    )
    parser.add_argument("--by-pose", type=int, metavar="K", help="errors on the split in K head-pose bins")
    parser.add_argument(
        "--calibration",
        action="store_true",
        help="how well confidences are calibrated: predicted and actual shares of wrong points",
    )
    parser.add_argument(
        "--without-fit", action="store_true", help="evaluate the model without the calibration from `fkp adjust`"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    from training.storage.project.project import Project

    if args.by_pose is not None and (args.protocol or not 1 <= args.by_pose <= MOST_BINS):
        raise UserError(f"--by-pose takes 1 to {MOST_BINS} bins and cannot be combined with --protocol.")
    if args.calibration and (args.protocol or args.by_pose is not None):
        raise UserError("--calibration cannot be combined with --protocol or --by-pose.")
    with Project.open(args.project, read_only=True) as project:
        run = find_run(args.run_name, project.path)
        fit = read_adjustment(run, keypoints=len(project.schema))
        adjusted = fit is not None and not args.without_fit and not args.protocol
        facts, text = _measure(args, project, run, adjusted=adjusted)
    if args.json:
        say_json({**facts, "fit": _fit_facts(fit) if fit is not None and adjusted else None})
        return 0
    for line in [*text, *(_fit_lines(fit, adjusted=adjusted) if fit is not None else [])]:
        say(line)
    return 0


def _measure(
    args: argparse.Namespace, project: Project, run: Run, *, adjusted: bool
) -> tuple[dict[str, Any], list[str]]:
    """The requested measures, as plain values and as lines of text."""
    # loads torch, so only after the arguments are checked
    from training.learning.evaluation.evaluate import evaluate_protocol, evaluate_run

    name, split = run.name, args.split
    if args.protocol:
        protocol, rows = evaluate_protocol(project, run, args.protocol)
        return protocol_facts(protocol, rows, name), protocol_lines(protocol, rows, name)
    if args.by_pose is not None:
        from training.learning.evaluation.pose import evaluate_by_pose

        found = evaluate_by_pose(project, run, split, bins=args.by_pose, adjusted=adjusted)
        return {"run": name, "split": split, **asdict(found)}, pose_lines(found, name, split=split)
    if args.calibration:
        from training.learning.evaluation.confidence import judge_run

        facts = calibration_facts(*judge_run(project, run, split, adjusted=adjusted), run=name, split=split)
        return facts, calibration_lines(facts)
    result = evaluate_run(project, run, split, adjusted=adjusted)
    facts = split_facts(result, project.schema.keypoints, run=name, split=split)
    return facts, split_lines(facts)


def _fit_facts(fit: Adjustment) -> dict[str, Any]:
    return {"faces": fit.faces, "rmse_before": fit.before, "rmse_after": fit.after}


def _fit_lines(fit: Adjustment, *, adjusted: bool) -> list[str]:
    if not adjusted:
        return ["", "Without the calibration that `fkp predict` applies."]
    sentence = (
        f"With the calibration that `fkp predict` applies, calibrated on {fit.faces:,} labelled faces; errors on those "
        f"faces are slightly optimistic. On held-out faces: RMSE {fit.before:.2f} -> {fit.after:.2f} px. "
        "Use --without-fit to evaluate the model without it."
    )
    return ["", sentence]
