"""fkp search: random search over a recipe's settings."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.shared.output import say, say_json
from training.errors import UserError

if TYPE_CHECKING:
    from training.search.plan import SearchInfo, SearchPlan

TRIALS, MINUTES = 20, 2.0  # defaults


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT --recipe NAME [--trials N] [--minutes M | --epochs E] [--jobs J] ... or PROJECT --list"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument("--recipe", metavar="NAME", help="see `fkp recipes`; not needed to continue a search")
    parser.add_argument("--variant", default="default", choices=("default", "paper"), help="the paper's own values")
    parser.add_argument(
        "--trials", type=int, metavar="N", help=f"number of trials ({TRIALS}); a larger number continues a search"
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, metavar="M", help=f"training time per trial ({MINUTES:g})")
    budget.add_argument("--epochs", type=int, metavar="E", help="epochs per trial")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="trials in parallel (1)")
    parser.add_argument("--seed", type=int, metavar="S", help="random seed of the drawn values and of each run (0)")
    parser.add_argument("--name", metavar="NAME", help="name of the search (the recipe's name)")
    parser.add_argument("--storage", default="", metavar="URL", help="a database shared by several machines")
    parser.add_argument("--pruner", choices=("median", "halving", "none"), help="when to stop a run early (median)")
    parser.add_argument(
        "--set", action="append", default=[], nargs="+", metavar="KEY=VALUE", help="a setting for all trials"
    )
    parser.add_argument(
        "--space",
        action="append",
        default=[],
        nargs="+",
        metavar="KEY=LOW..HIGH[:log]",
        help="what to draw from: a range, values (batch_size=16,32), or off",
    )
    parser.add_argument("--list", action="store_true", help="list the project's searches and exit")
    parser.add_argument("--json", action="store_true", help="events as JSON lines")


def run(args: argparse.Namespace) -> int:
    """Start a search, or continue the one of this name."""
    from training.search.plan import list_searches

    if args.list:
        from training.commands.shared.follow_search import listing

        searches = list_searches(_opened(args.project))
        if args.json:
            say_json({"searches": [_facts(search) for search in searches]})
        else:
            for line in listing(searches):
                say(line)
        return 0
    if args.jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {args.jobs}.")
    from training.commands.shared.follow_search import follow  # needs Optuna: checked before a folder is created

    return follow(_folder(args), jobs=args.jobs, url=args.storage, json=args.json)


def _opened(path: Path) -> Path:
    from training.storage.project.project import Project

    with Project.open(path, read_only=True) as project:
        return project.path


def _facts(search: SearchInfo) -> dict[str, object]:
    from training.search.plan import best_trial

    best = best_trial(search.trials)
    return {
        "name": search.plan.name,
        "recipe": search.plan.config.recipe,
        "trials": search.plan.trials,
        "ended": search.ended,
        "running": search.running,
        "best": None if best is None else best.value,
        "run": None if best is None else best.run,
    }


def _folder(args: argparse.Namespace) -> Path:
    """The folder of the search: a new one, or the existing one, with --trials updated."""
    from training.search.plan import PLAN, SEARCHES, read_plan, write_plan

    project = _opened(args.project)
    name = args.name or args.recipe
    if not name:
        raise UserError("Give --recipe NAME for a new search, or --name of an existing one (`--list` shows them).")
    folder = project / SEARCHES / name
    if Path(name).name != name or not (folder / PLAN).is_file():
        return _new(args, name)
    old = read_plan(folder)
    if old.remote != bool(args.storage):
        raise UserError(
            f"The search {name} was started {'with' if old.remote else 'without'} a --storage URL: "
            f"{'give it again' if old.remote else 'leave it out'}, or choose another --name."
        )
    _check_same(args, old)
    if args.trials is not None and args.trials != old.trials:
        write_plan(folder, replace(old, trials=args.trials))
    return folder


def _new(args: argparse.Namespace, name: str) -> Path:
    from training.search.plan import create_search
    from training.storage.project.project import Project
    from training.storage.runs.inputs.snapshot import snapshot_project, with_schemes

    if args.recipe is None:
        raise UserError(f"There is no search {name!r} to continue; start one with --recipe NAME.")
    plan = _plan(args, name)
    with Project.open(args.project, read_only=True) as project:
        snapshot = with_schemes(project, snapshot_project(project), plan.config)
        return create_search(project.path, replace(plan, label_hash=snapshot.label_hash), snapshot)


def _plan(args: argparse.Namespace, name: str) -> SearchPlan:
    """The plan from the command line. Raises UserError naming an invalid setting."""
    from training.commands.train import configured
    from training.search.plan import SearchPlan
    from training.storage.runs.settings.recipes import recipe_space
    from training.storage.runs.settings.search_space import with_changes

    if args.minutes is None and args.epochs is None:
        args = argparse.Namespace(**{**vars(args), "minutes": MINUTES})
    config = configured(argparse.Namespace(**{**vars(args), "device": None}))
    changes = [text for texts in args.space for text in texts]
    return SearchPlan(
        name=name,
        config=config,
        space=with_changes(recipe_space(args.recipe, args.variant), changes),
        trials=TRIALS if args.trials is None else args.trials,
        pruner=args.pruner or "median",
        remote=bool(args.storage),
    )


def _check_same(args: argparse.Namespace, old: SearchPlan) -> None:
    """Raises UserError if the command line does not match the search being continued."""
    if args.recipe is None:
        return
    new = _plan(args, old.name)
    wrong = [n for n, value in new.config.to_json().items() if value != old.config.value(n)]
    wrong += [n for n in ("pruner", "space") if getattr(new, n) != getattr(old, n)]
    if wrong:
        raise UserError(
            f"The search {old.name} was started with different values of {', '.join(wrong)}. Continue it with "
            f"`--name {old.name}` alone, or choose another --name for the new search."
        )
