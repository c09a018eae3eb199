"""Text output of `fkp search`: a line per trial, the final table, and the command to train the best trial longer."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path

from training.commands.shared.output import table
from training.search.plan import SearchInfo, SearchPlan, TrialInfo, best_trial, ranked
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.recipes import recipe_config
from training.storage.runs.settings.search_space import short


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
