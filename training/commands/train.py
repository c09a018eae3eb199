"""fkp train: train a recipe on a project as a new run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.shared.follow_run import follow, help_others
from training.commands.shared.output import note
from training.errors import UserError
from training.learning.fit.parallel.launch import place

if TYPE_CHECKING:
    from training.storage.runs.settings.config import RunConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT [--recipe NAME] [--minutes M | --epochs N] [--seed S] [--device D] [--set key=value ...] [--json]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument("--recipe", default="recommended", metavar="NAME", help="see `fkp recipes` (recommended)")
    parser.add_argument("--variant", default="default", choices=("default", "paper"), help="the paper's own values")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, metavar="M", help="training time")
    budget.add_argument("--epochs", type=int, metavar="N", help="number of epochs")
    parser.add_argument("--seed", type=int, metavar="S", help="random seed (0)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), help="where to compute (auto)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        nargs="+",
        metavar="KEY=VALUE",
        help="any other setting, such as batch_size=64",
    )
    parser.add_argument("--json", action="store_true", help="events as JSON lines")


def run(args: argparse.Namespace) -> int:
    """Train; the last line on stdout is the run folder."""
    from training.storage.project.project import Project
    from training.storage.runs.new_run import create_run

    if place().rank > 0:
        return help_others()
    config = configured(args)
    if config.machine.device not in ("auto", "cpu"):
        from training.learning.inference.device import choose_device  # loads torch

        choose_device(config.machine.device)  # fails here, before a run folder is created
    with Project.open(args.project, read_only=True) as project:
        run = create_run(project, config)
    note(f"{run.name} on {args.project}: Ctrl-C stops it and keeps the best model")
    return follow(run, json=args.json)


def configured(args: argparse.Namespace) -> RunConfig:
    """The recipe's settings with those of the command line applied. Raises UserError naming an invalid one."""
    from training.storage.runs.settings.config import with_budget, with_overrides
    from training.storage.runs.settings.recipes import recipe_config

    texts = dict(map(_pair, (text for texts in args.set for text in texts)))
    for name in ("seed", "device"):
        if getattr(args, name) is not None:
            texts[name] = str(getattr(args, name))
    config = with_overrides(recipe_config(args.recipe, args.variant), texts)
    return with_budget(config, epochs=args.epochs, minutes=args.minutes)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set takes key=value, such as batch_size=64, not {text!r}.")
    return key.strip(), value.strip()
