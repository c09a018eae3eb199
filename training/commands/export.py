"""fkp export: labels or predictions in the formats of others."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands.find_run import find_run
from training.commands.output import progress_bar, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT OUT --format F [--lookup FILE] [--run RUN]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument("out", type=Path, metavar="OUT", help="file to write; for pts a folder")
    parser.add_argument("--format", required=True, choices=("kaggle", "submission", "csv", "pts"), help="what to write")
    parser.add_argument("--lookup", type=Path, metavar="FILE", help="Kaggle's IdLookupTable.csv, for a submission")
    parser.add_argument(
        "--run", dest="run_name", metavar="RUN", help="the predictions of this run instead of the labels"
    )


def run(args: argparse.Namespace) -> int:
    """Export."""
    from training.data.export import export_project
    from training.project.project import Project

    with Project.open(args.project, read_only=True) as project, progress_bar("export") as report:
        name = None if args.run_name is None else find_run(args.run_name, project.path).name
        done = export_project(project, args.out, format=args.format, lookup=args.lookup, run=name, progress=report)
    say(f"{done.count:,} samples written to {args.out}")
    return 0
