"""fkp evaluate: the errors of a run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.commands.evaluate_confidence import calibration_facts, calibration_lines
from training.commands.find_run import find_run
from training.commands.output import say, say_json, table
from training.errors import UserError
from training.protocols import PROTOCOLS, remarks, shown

if TYPE_CHECKING:
    from training.evaluate_pose import ErrorsByPose
    from training.metrics import Evaluation
    from training.protocols import Protocol, ProtocolRow

MOST_BINS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT --run RUN [--split S | --protocol P] [--by-pose K | --calibration] [--json]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument(
        "--run", required=True, dest="run_name", metavar="RUN", help="name, number or folder of the run"
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--split", default="val", choices=("val", "test", "train"), help="which samples (val)")
    chosen.add_argument(
        "--protocol", choices=tuple(PROTOCOLS), help="the table of a data set's protocol, on its own subsets"
    )
    parser.add_argument(
        "--by-pose", type=int, metavar="K", help="the errors of the split in K bins of which way the faces look"
    )
    parser.add_argument(
        "--calibration",
        action="store_true",
        help="whether confidences come true: predicted and real shares of wrong points",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Evaluate."""
    from training.project.project import Project

    if args.by_pose is not None and (args.protocol or not 1 <= args.by_pose <= MOST_BINS):
        raise UserError(f"--by-pose takes 1 to {MOST_BINS} bins, and a split, no protocol.")
    if args.calibration and (args.protocol or args.by_pose is not None):
        raise UserError("--calibration goes with a split, not with --protocol or --by-pose.")
    with Project.open(args.project, read_only=True) as project:
        run_dir = find_run(args.run_name, project.path)
        from training.evaluate import evaluate_protocol, evaluate_run  # loads torch: after all that can be wrong

        if args.protocol:
            return _tell_protocol(*evaluate_protocol(project, run_dir, args.protocol), run_dir.name, as_json=args.json)
        if args.by_pose is not None:
            from training.evaluate_pose import evaluate_by_pose

            found = evaluate_by_pose(project, run_dir, args.split, bins=args.by_pose)
            return _tell_poses(found, run_dir.name, split=args.split, as_json=args.json)
        if args.calibration:
            from training.evaluate_confidence import judge_run

            judged, curve = judge_run(project, run_dir, args.split)
            facts = calibration_facts(judged, curve, run=run_dir.name, split=args.split)
            return _tell(facts, calibration_lines, as_json=args.json)
        result = evaluate_run(project, run_dir, args.split)
        facts = collect(result, project.schema.keypoints, run=run_dir.name, split=args.split)
    return _tell(facts, lines, as_json=args.json)


def _tell(facts: dict[str, Any], words: Callable[[dict[str, Any]], list[str]], *, as_json: bool) -> int:
    if as_json:
        say_json(facts)
    else:
        for line in words(facts):
            say(line)
    return 0


def _tell_poses(found: ErrorsByPose, run: str, *, split: str, as_json: bool) -> int:
    if as_json:
        say_json({"run": run, "split": split, **asdict(found)})
        return 0
    say(f"{run} on {split}; mean point error in % of the picture's larger side, by {found.pose}\n")
    rows = [(f"{b.low:+.1f} to {b.high:+.1f}", f"{b.faces:,}", _percent(b.error)) for b in found.bins]
    for line in table(rows, head=("pose", "faces", "error %")):
        say(line)
    if found.left_out:
        say(f"left out: {found.left_out:,} (no label, or too few to tell a pose)")
    return 0


def _percent(value: float) -> str:
    return f"{100 * value:.3f}" if value == value else "-"


def _tell_protocol(protocol: Protocol, rows: Sequence[ProtocolRow], run: str, *, as_json: bool) -> int:
    if as_json:
        say_json(protocol_facts(protocol, rows, run))
        return 0
    for line in protocol_lines(protocol, rows, run):
        say(line)
    return 0


def protocol_facts(protocol: Protocol, rows: Sequence[ProtocolRow], run: str) -> dict[str, Any]:
    """The table as plain values."""
    table = [{"subset": row.subset, "n": row.n, **row.values, "left_out": row.left_out} for row in rows]
    return {"run": run, "protocol": protocol.name, "rows": table, "reports": protocol.reports}


def protocol_lines(protocol: Protocol, rows: Sequence[ProtocolRow], run: str) -> list[str]:
    """The table for people: NMEs and rates in percent."""
    cells = [(row.subset, row.n, *(shown(name, row.values[name]) for name in protocol.columns)) for row in rows]
    text = [f"{run} by the protocol {protocol.name} ({protocol.title}); nme, fr and detection failures in %", ""]
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
    """The measures for people."""
    names = ("n", "rmse", "nme_interocular", "nme_interpupil", "nme_box", "nme_width", "auc@0.08", "fr@0.10")
    text = [f"{facts['run']} on {facts['split']}; auc and fr by {facts['normaliser']}", ""]
    text += [f"{name:16} {_number(facts[name])}" for name in names]
    text += ["", *table([(k, _number(v)) for k, v in facts["per_keypoint"].items()], head=("keypoint", "error px"))]
    return text + [f"left out: {count:,} ({reason})" for reason, count in facts["left_out"].items()]


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if value == value else "-"
