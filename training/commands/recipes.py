"""fkp recipes: list the recipes that can be trained."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from training.commands.shared.output import progress_bar, say, say_json, table
from training.storage.runs.known_speeds import KEYS, remember, speed_of

if TYPE_CHECKING:
    from training.storage.runs.settings.config import RunConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[--measure [NAME ...]] [--json]"""
    parser.add_argument(
        "--measure",
        nargs="*",
        metavar="NAME",
        help="measure the speed of these recipes (default: all) on this machine's CPU",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    recipes = collect() if args.measure is None else measured(args.measure)
    if args.json:
        say_json({"recipes": recipes})
        return 0
    head = ("recipe", "parameters (15)", "parameters (68)", "input", "loss", "rows", "source")
    for line in table([row for r in recipes for row in _rows(r)], head=head):
        say(line)
    say()
    _say_speeds(recipes)
    for r in recipes:
        say(f"{r['name']}: {r['summary']}")
    return 0


def _rows(recipe: dict[str, Any]) -> list[tuple[str, ...]]:
    """The recipe's row, and one for its paper variant if its network differs."""
    paper = recipe["paper"]
    variants = {recipe["name"]: recipe} | ({f"{recipe['name']} --variant paper": paper} if paper else {})
    return [
        (name, f"{v['parameters_15']:,}", f"{v['parameters_68']:,}", v["input"], v["loss"], v["rows"], recipe["source"])
        for name, v in variants.items()
    ]


def _say_speeds(recipes: list[dict[str, Any]]) -> None:
    head = ("recipe", "one at a time", "32 at once", "training", "measured on")
    rows = [(r["name"], *(_figure(r["speed"][key]) for key in KEYS), r["speed"]["where"]) for r in recipes]
    say("Images/s on one CPU (`fkp recipes --measure` measures this machine):")
    for line in table(rows, head=head):
        say(line)
    say()


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def measured(names: Sequence[str]) -> list[dict[str, Any]]:
    """Measure the named recipes (none: all); returned as by `collect`. Raises UserError for an unknown name."""
    from training.learning.fit.throughput import measure_speed
    from training.storage.runs.settings.recipes import RECIPES, recipe_config

    configs = {name: recipe_config(name) for name in names or RECIPES}
    speeds = {}
    with progress_bar("Measuring") as report:
        for n, (name, config) in enumerate(configs.items()):
            report(n / len(configs), name)
            speeds[name] = asdict(measure_speed(config))
    remember(speeds)
    return [r for r in collect() if r["name"] in speeds]


def collect() -> list[dict[str, Any]]:
    """The recipes as plain values. `paper`: the paper's own settings, None if their network has the same size."""
    from training.storage.runs.settings.recipes import RECIPES

    found = []
    for r in RECIPES.values():
        own, paper = _variant(r.config), _variant(r.paper or r.config)
        other = any(paper[key] != own[key] for key in ("parameters_15", "input"))
        about = {"name": r.name, "title": r.title, "summary": r.summary, "source": r.source}
        found.append({**about, **own, "speed": speed_of(r.name), "paper": paper if other else None})
    return found


def _variant(config: RunConfig) -> dict[str, Any]:
    """Number of parameters (counted on the network), input size, loss and rows."""
    from training.learning.models.registry import recipe_parameters

    return {
        "parameters_15": recipe_parameters(config, 15),
        "parameters_68": recipe_parameters(config, 68),
        "input_size": config.network.input_size,
        "channels": config.network.channels,
        "input": f"{config.network.input_size}x{config.network.input_size}x{config.network.channels}",
        "loss": config.objective.loss,
        "rows": config.data.rows,
    }
