"""fkp recipes: what one can train."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from training.commands.output import progress_bar, say, say_json, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[--measure [NAME ...]] [--json]"""
    parser.add_argument(
        "--measure",
        nargs="*",
        metavar="NAME",
        help="measure the speed of these recipes (of all, where none is named) on this machine's processor",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    recipes = collect() if args.measure is None else measured(args.measure)
    if args.json:
        say_json({"recipes": recipes})
        return 0
    head = ("recipe", "parameters (15)", "parameters (68)", "input", "loss", "rows", "source")
    rows = [
        (r["name"], f"{r['parameters_15']:,}", f"{r['parameters_68']:,}", r["input"], r["loss"], r["rows"], r["source"])
        for r in recipes
    ]
    for line in table(rows, head=head):
        say(line)
    say()
    if args.measure is not None:
        _say_speeds(recipes)
    for r in recipes:
        say(f"{r['name']}: {r['summary']}")
    return 0


def _say_speeds(recipes: list[dict[str, Any]]) -> None:
    head = ("recipe", "one at a time", "32 at once", "training", "number format", "threads")
    rows = [
        (r["name"], *(f"{s[key]:,.1f}" for key in ("one", "many", "training")), s["precision"], s["threads"])
        for r in recipes
        for s in (r["speed"],)
    ]
    say("Pictures a second on this machine's processor:")
    for line in table(rows, head=head):
        say(line)
    say()


def measured(names: Sequence[str]) -> list[dict[str, Any]]:
    """The named recipes (none: all) as of `collect`, with their `speed`. Raises UserError for a name that is not there."""
    from training.recipes import RECIPES, recipe_config
    from training.speed import measure_speed

    configs = {name: recipe_config(name) for name in names or RECIPES}
    speeds = {}
    with progress_bar("Measuring") as report:
        for n, (name, config) in enumerate(configs.items()):
            report(n / len(configs), name)
            speeds[name] = asdict(measure_speed(config))
    return [{**r, "speed": speeds[r["name"]]} for r in collect() if r["name"] in speeds]


def collect() -> list[dict[str, Any]]:
    """The recipes as plain values; parameters are counted from the networks themselves."""
    from training.models.registry import recipe_parameters
    from training.recipes import RECIPES

    return [
        {
            "name": r.name,
            "title": r.title,
            "summary": r.summary,
            "source": r.source,
            "parameters_15": recipe_parameters(r.config, 15),
            "parameters_68": recipe_parameters(r.config, 68),
            "input_size": r.config.input_size,
            "channels": r.config.channels,
            "input": f"{r.config.input_size}x{r.config.input_size}x{r.config.channels}",
            "loss": r.config.loss,
            "rows": r.config.rows,
        }
        for r in RECIPES.values()
    ]
