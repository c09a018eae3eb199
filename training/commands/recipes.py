"""fkp recipes: what one can train."""

from __future__ import annotations

import argparse
from typing import Any

from training.commands.output import say, say_json, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[--json]"""
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    recipes = collect()
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
    for r in recipes:
        say(f"{r['name']}: {r['summary']}")
    return 0


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
