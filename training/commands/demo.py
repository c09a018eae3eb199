"""fkp demo: create a project of synthetic faces."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands.shared.output import progress_bar, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT [--samples N] [--seed S]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the new project, such as demo.fkp")
    parser.add_argument("--samples", type=int, default=2000, metavar="N", help="number of faces (2000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (0)")


def run(args: argparse.Namespace) -> int:
    from training.errors import UserError
    from training.synthetic.demo import make_demo_project

    if not 1 <= args.samples <= 1_000_000:
        raise UserError(f"--samples must be between 1 and 1,000,000, not {args.samples}.")
    with progress_bar("faces") as report:
        make_demo_project(args.project, samples=args.samples, seed=args.seed, progress=report)
    say(f"{args.samples:,} synthetic faces in {args.project}")
    return 0
