"""fkp evaluate: report the errors of a run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.commands.evaluate_confidence import calibration_facts, calibration_lines
from training.commands.shared.find_run import find_run
from training.commands.shared.output import say, say_json, table
from training.errors import UserError
from training.faces.measures.protocols import PROTOCOLS, remarks, shown
from training.storage.runs.model.adjustment import Adjustment, read_adjustment
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from training.faces.measures.metrics import Evaluation
    from training.faces.measures.protocols import Protocol, ProtocolRow
    from training.learning.evaluation.pose import ErrorsByPose
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
    from training.learning.evaluation.evaluate import (
        evaluate_protocol,
        evaluate_run,
    )  # loads torch, so only after the arguments are checked

    name, split = run.name, args.split
    if args.protocol:
        protocol, rows = evaluate_protocol(project, run, args.protocol)
        return protocol_facts(protocol, rows, name), protocol_lines(protocol, rows, name)
    if args.by_pose is not None:
        from training.learning.evaluation.pose import evaluate_by_pose

        found = evaluate_by_pose(project, run, split, bins=args.by_pose, adjusted=adjusted)
        return {"run": name, "split": split, **asdict(found)}, _pose_lines(found, name, split=split)
    if args.calibration:
        from training.learning.evaluation.confidence import judge_run

        facts = calibration_facts(*judge_run(project, run, split, adjusted=adjusted), run=name, split=split)
        return facts, calibration_lines(facts)
    result = evaluate_run(project, run, split, adjusted=adjusted)
    facts = collect(result, project.schema.keypoints, run=name, split=split)
    return facts, lines(facts)


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


def _pose_lines(found: ErrorsByPose, run: str, *, split: str) -> list[str]:
    rows = [(f"{b.low:+.1f} to {b.high:+.1f}", f"{b.faces:,}", _percent(b.error)) for b in found.bins]
    return [
        f"{run} on {split}; mean point error in % of the image's longer side, by {found.pose}",
        "",
        *table(rows, head=("pose", "faces", "error %")),
        *([f"left out: {found.left_out:,} (no label, or too few to estimate a pose)"] if found.left_out else []),
    ]


def _percent(value: float) -> str:
    return f"{100 * value:.3f}" if value == value else "-"


def protocol_facts(protocol: Protocol, rows: Sequence[ProtocolRow], run: str) -> dict[str, Any]:
    """The protocol's table as plain values."""
    table = [{"subset": row.subset, "n": row.n, **row.values, "left_out": row.left_out} for row in rows]
    return {"run": run, "protocol": protocol.name, "rows": table, "reports": protocol.reports}


def protocol_lines(protocol: Protocol, rows: Sequence[ProtocolRow], run: str) -> list[str]:
    """The protocol's table as text; NMEs and rates in percent."""
    cells = [(row.subset, row.n, *(shown(name, row.values[name]) for name in protocol.columns)) for row in rows]
    text = [f"{run} under protocol {protocol.name} ({protocol.title}); nme, fr and detection failures in %", ""]
    text += table(cells, head=("subset", "n", *protocol.columns))
    return [*text, "", *(f"papers: {line}" for line in protocol.reports), *remarks(rows)]


def collect(result: Evaluation, keypoints: tuple[str, ...], *, run: str, split: str) -> dict[str, Any]:
    """The measures as plain values."""
    return {
        "run": run,
        "split": split,
        "n": result.n,
        "rmse": result.rmse,
        "nme_interocular": result.nme_interocular,
        "nme_interpupil": result.nme_interpupil,
        "nme_box": result.nme_box,
        "nme_width": result.nme_width,
        "normaliser": result.normaliser,
        "auc@0.08": result.auc,
        "fr@0.10": result.failure_rate,
        "detection_failures": result.detection_failures,
        "per_keypoint": dict(zip(keypoints, result.per_keypoint, strict=True)),
        "left_out": result.left_out,
    }


def lines(facts: dict[str, Any]) -> list[str]:
    """The measures as text."""
    names = ("n", "rmse", "nme_interocular", "nme_interpupil", "nme_box", "nme_width", "auc@0.08", "fr@0.10")
    text = [f"{facts['run']} on {facts['split']}; auc and fr by {facts['normaliser']}", ""]
    text += [f"{name:16} {_number(facts[name])}" for name in names]
    text += ["", *table([(k, _number(v)) for k, v in facts["per_keypoint"].items()], head=("keypoint", "error px"))]
    return text + [f"left out: {count:,} ({reason})" for reason, count in facts["left_out"].items()]


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if value == value else "-"
