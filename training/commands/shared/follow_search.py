"""Runs a search in this process and reports its progress: a line per trial, the final table, and the command to train
the best trial longer. Ctrl-C stops its runs; the same command continues them.
"""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from training.commands.shared.follow_run import stop_at_signals
from training.commands.shared.output import note, say, say_json, table
from training.errors import OK
from training.search.plan import (
    SearchInfo,
    SearchPlan,
    TrialInfo,
    best_trial,
    ranked,
    read_plan,
    read_search,
    read_trials,
)
from training.search.worker import TrialEvent, Worker
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.recipes import recipe_config
from training.storage.runs.settings.search_space import short


def follow(folder: Path, *, jobs: int, url: str, json: bool) -> int:
    """Run the search to its end and print the table, best first; returns the exit code."""
    plan = read_plan(folder)
    note(f"search {plan.name}: {plan.trials} trials of {_budget(plan)} each, {jobs} in parallel; Ctrl-C stops it")
    stops: list[int] = []
    worker = Worker(folder, jobs=jobs, url=url, on_event=_teller(folder, plan, json=json))
    with stop_at_signals(stops.append, "Stopping the running trials; the same command continues them."):
        complete = worker.run(lambda: bool(stops))
    _tell_end(folder, plan, json=json)
    if not complete:
        note(f"Stopped. `fkp search {folder.parent.parent} --name {plan.name}` continues it.")
    return 128 + stops[0] if stops else OK


def _budget(plan: SearchPlan) -> str:
    minutes, epochs = plan.config.budget.minutes, plan.config.budget.epochs
    return f"{minutes:g} min" if minutes is not None else f"{epochs} epoch{'' if epochs == 1 else 's'}"


def _teller(folder: Path, plan: SearchPlan, *, json: bool) -> Callable[[TrialEvent], None]:
    """Prints a JSON line per event, or a line of text per finished trial."""

    def tell(event: TrialEvent) -> None:
        if json:
            say_json({"event": f"Trial{event.kind.capitalize()}", "trial": asdict(event.trial)})
            sys.stdout.flush()
        elif event.kind == "ended":
            trials = read_trials(folder)
            ended = sum(trial.ended for trial in trials)
            note(trial_line(event.trial, best=best_trial(trials), ended=ended, of=plan.trials))

    return tell


def _tell_end(folder: Path, plan: SearchPlan, *, json: bool) -> None:
    trials = read_search(folder).trials
    best = best_trial(trials)
    command = None if best is None else train_command(folder.parent.parent, plan.longer(best.params))
    if json:
        say_json({"search": str(folder), "trials": [asdict(t) for t in ranked(trials)], "train_the_best": command})
        return
    for line in results(plan, trials):
        say(line)
    if command is not None:
        say()
        say("To train the best trial longer:")
        say(f"  {command}")


def trial_line(trial: TrialInfo, *, best: TrialInfo | None, ended: int, of: int) -> str:
    """`trial 7 (8 of 20): 2.314 px, the best so far; learning_rate 0.0031, ...`."""
    if trial.state == "done":
        what = f"{trial.value:.3f} px" + (", the best so far" if best == trial else "")
    elif trial.state == "pruned":
        what = trial.message.rstrip(".") + ("" if trial.value is None else f" ({trial.value:.3f} px)")
    else:
        what = f"failed: {trial.message.rstrip('.')}"
    drawn = ", ".join(f"{name} {short(value)}" for name, value in trial.params.items())
    return f"trial {trial.number} ({ended} of {of}): {what}; {drawn}"


def results(plan: SearchPlan, trials: Sequence[TrialInfo]) -> list[str]:
    """The table of trials, best first."""
    head = ("trial", "rmse px", "state", "run", *plan.space)
    rows = [
        (
            trial.number,
            "-" if trial.value is None or math.isnan(trial.value) else f"{trial.value:.3f}",
            trial.state if trial.state != "pruned" else f"stopped at {trial.done:.0%}",
            trial.run or "-",
            *(short(trial.params.get(name, "-")) for name in plan.space),
        )
        for trial in ranked(trials)
    ]
    return table(rows, head=head)


def listing(searches: Sequence[SearchInfo]) -> list[str]:
    """One line per search."""
    if not searches:
        return ["This project has no searches yet: `fkp search PROJECT --recipe NAME` starts one."]
    rows = []
    for search in searches:
        best = best_trial(search.trials)
        state = "searching" if search.running else "done" if search.ended >= search.plan.trials else "stopped"
        rows.append(
            (
                search.plan.name,
                search.plan.config.recipe,
                f"{search.ended} of {search.plan.trials}",
                state,
                "-" if best is None else f"{best.value:.3f}",
                "-" if best is None else best.run,
            )
        )
    return table(rows, head=("search", "recipe", "trials", "state", "best rmse px", "best run"))


def train_command(project: Path, config: RunConfig) -> str:
    """The `fkp train` command for these settings."""
    base, values = recipe_config(config.recipe, config.variant).to_json(), config.to_json()
    own = ("epochs", "minutes", "seed")
    changed = [f"{name}={value}" for name, value in values.items() if name not in own and value != base[name]]
    budget = (
        ["--minutes", f"{config.budget.minutes:g}"]
        if config.budget.minutes is not None
        else ["--epochs", str(config.budget.epochs)]
    )
    words = ["fkp", "train", str(project), "--recipe", config.recipe]
    words += ["--variant", config.variant] if config.variant != "default" else []
    words += [*budget, "--seed", str(config.seed), *(["--set", *changed] if changed else [])]
    return shlex.join(words)
