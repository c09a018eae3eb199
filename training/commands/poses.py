"""fkp poses: the distribution of head poses in a project, and the effect of balancing by pose."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.commands.shared.output import say, say_json, table
from training.errors import UserError

MOST_BINS = 100
_BAR = 40  # characters of the longest bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT [--bins K] [--seed S] [--json]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument(
        "--bins", type=int, default=9, metavar="K", help="number of pose bins (9; 17 in the paper for AFLW)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="random seed of the run (0)")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    from training.storage.project.project import Project
    from training.storage.runs.inputs.balance import project_poses

    if not 2 <= args.bins <= MOST_BINS:
        raise UserError(f"The number of bins must be between 2 and {MOST_BINS}, not {args.bins}.")
    with Project.open(args.project, read_only=True) as project:
        poses = project_poses(project)
    found = poses.balanced(bins=args.bins, seed=args.seed)
    facts = {
        "faces": len(poses.ids),
        "used": len(poses.ids) - poses.pose.lacking,
        "lacking": poses.pose.lacking,
        "share": round(poses.pose.share, 4),
        "balanced": len(found.rows),
        "bins": [
            {"low": low, "high": high, "faces": before, "balanced": after}
            for low, high, before, after in zip(
                found.edges[:-1].tolist(),
                found.edges[1:].tolist(),
                found.before.tolist(),
                found.after.tolist(),
                strict=True,
            )
        ],
    }
    if args.json:
        say_json(facts)
    else:
        for line in lines(facts):
            say(line)
    return 0


def lines(facts: dict[str, Any]) -> list[str]:
    """The histogram as text."""
    most = max(max(b["balanced"] for b in facts["bins"]), 1)
    rows = [
        (f"{b['low']:+.2f} to {b['high']:+.2f}", f"{b['faces']:,}", f"{b['balanced']:,}", bar(b, most))
        for b in facts["bins"]
    ]
    used = f"{facts['used']:,} of {facts['faces']:,} labelled train faces have a pose"
    return [
        f"{used}; {facts['lacking']:,} lack the points to estimate it and are not repeated",
        f"pose explains {facts['share']:.0%} of the shape variance",
        "below 0 the face looks to the left of the image, above 0 to the right",
        "",
        *table(rows, head=("pose", "faces", "balanced", "")),
    ]


def bar(part: dict[str, Any], most: int) -> str:
    """Faces as full blocks, faces added by balancing as light ones."""
    full = round(_BAR * part["faces"] / most)
    return "█" * full + "░" * (round(_BAR * part["balanced"] / most) - full)
