"""Refits a starter's confidence to its two heads' predictions on the val faces of its training project.

    python -m benchmarks.starter_calibration PROJECT resources/starters/face-15.safetensors

The weights do not change; in the file's header only the calibration does.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.confidence_calibration import gather
from training.commands.shared.output import say
from training.learning.inference.checkpoint import load_model, save_model, write_compact
from training.storage.project.project import Project
from training.storage.runs.run import Run


def main() -> None:
    """Refit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("starter", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with Project.open(args.project, read_only=True) as project:
        val = gather(project, str(args.starter.absolute()), 1, views="heads")
    found = replace(val.fit(), views="heads")
    model, info = load_model(Run(args.starter))
    save_model(args.starter, model.state_dict(), replace(info, calibration=found))
    write_compact(Run(args.starter), args.starter)
    say(f"{args.starter}: fitted to {found.fitted_on:,} points.")


if __name__ == "__main__":
    main()
