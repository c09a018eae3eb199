"""Runs a search in this process and reports its progress. Ctrl-C stops its runs; the same command continues them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from training.commands.shared.follow_run import stop_at_signals
from training.commands.shared.output import note, say, say_json
from training.commands.shared.search_words import results, train_command, trial_line
from training.errors import OK
from training.search.plan import SearchPlan, best_trial, ranked, read_plan, read_search, read_trials
from training.search.worker import TrialEvent, Worker


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
