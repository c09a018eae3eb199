"""fkp resume: resume a run."""

from __future__ import annotations

import argparse

from training.commands.shared.find_run import find_run
from training.commands.shared.follow_run import follow, help_others
from training.errors import UserError
from training.learning.fit.parallel.launch import place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN [--json]"""
    parser.add_argument("run_name", metavar="RUN", help="the run's folder, PROJECT/runs/0001-...")
    parser.add_argument("--json", action="store_true", help="events as JSON lines")


def run(args: argparse.Namespace) -> int:
    """Continue training exactly from the last checkpoint."""
    from training.storage.runs.listing import read_run

    if place().rank > 0:
        return help_others()
    run = find_run(args.run_name)
    status = read_run(run).status
    if status == "done":
        raise UserError(f"{run.name} is done: its budget is used up. Train a new run with a larger budget.")
    if status == "running":
        raise UserError(f"{run.name} is already training, in the window or in another terminal.")
    return follow(run, json=args.json, resume=status != "queued")
