"""fkp experiment: reproduce a table from the papers on a project."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.shared.follow_run import stop_at_signals
from training.commands.shared.output import note, say, table
from training.errors import INTERRUPTED, OK

if TYPE_CHECKING:
    from training.experiments.experiment_events import ExperimentEvent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """NAME PROJECT [--minutes-per-run M | --epochs N] [--seeds S] [--jobs J] [--split S] [--hide SHARE] [--out DIR]
    [--json]
    """
    from training.experiments.papers.catalogue import EXPERIMENTS

    parser.add_argument("name", metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes-per-run", type=float, metavar="M", help="training time per run (3)")
    budget.add_argument("--epochs", type=int, metavar="N", help="epochs per run, instead of minutes")
    parser.add_argument("--seeds", type=int, default=2, metavar="S", help="number of seeds per network (2)")
    parser.add_argument("--jobs", type=int, metavar="J", help="runs in parallel, one thread each (number of cores)")
    parser.add_argument("--split", default="val", choices=("val", "test"), help="split to measure on (val)")
    parser.add_argument(
        "--hide",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of complete train faces whose labels are hidden but for four keypoints, as in Kaggle's file (0)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the report (PROJECT/experiments/NAME)")
    parser.add_argument("--json", action="store_true", help="events as JSON lines")


def run(args: argparse.Namespace) -> int:
    """Run the experiment; the last line on stdout is the path of the HTML report."""
    from training.experiments.conduct import conduct
    from training.experiments.options import Options, default_jobs
    from training.experiments.papers.catalogue import find_experiment
    from training.experiments.papers.definition import Budget
    from training.experiments.plan import plan_sentence

    experiment = find_experiment(args.name)
    minutes = 3.0 if args.minutes_per_run is None and args.epochs is None else args.minutes_per_run
    budget = Budget(minutes=minutes, epochs=args.epochs, seeds=args.seeds)
    jobs = default_jobs() if args.jobs is None else args.jobs
    options = Options(budget, jobs, split=args.split, folder=args.out, hide=args.hide)
    if not args.json:
        note(f"{experiment.title}. {plan_sentence(experiment, options)}")
        note("Ctrl-C stops and keeps finished work; run the same command again to continue.")
    stop = threading.Event()
    with stop_at_signals(lambda _number: stop.set(), "Stopping after the current batches."):
        done = conduct(experiment, args.project, options, tell=_json if args.json else _Lines(), stop=stop)
    if not done:
        _tell_stopped(json=args.json)
    return OK if done else INTERRUPTED


def _tell_stopped(*, json: bool) -> None:
    sentence = "Stopped. Finished trainings are kept; run the same command again to continue."
    if json:
        from training.experiments.experiment_events import ExperimentEnded

        _json(ExperimentEnded(sentence))
    else:
        note(sentence)


def _json(event: ExperimentEvent) -> None:
    from training.experiments.experiment_events import to_line

    print(to_line(event), flush=True)


class _Lines:
    """Prints events as text: one stderr line per start, epoch and end of a run; the table on stdout."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, int], tuple[str, int]] = {}

    def __call__(self, event: ExperimentEvent) -> None:
        from training.experiments.experiment_events import ExperimentDone, RunProgress

        if isinstance(event, RunProgress):
            key, state = (event.arm, event.seed), (event.status, event.epoch)
            if self._told.get(key) != state:
                self._told[key] = state
                note(
                    _progress(
                        event.arm,
                        event.seed,
                        event.run,
                        status=event.status,
                        epoch=event.epoch,
                        rmse=event.rmse,
                        sentence=event.sentence,
                    )
                )
        elif isinstance(event, ExperimentDone):
            for line in table(event.rows, head=event.head):
                say(line)
            say()
            for sentence in event.sentences:
                say(sentence)
            say(event.report)


def _progress(arm: str, seed: int, run: str, *, status: str, epoch: int, rmse: float, sentence: str) -> str:
    best = f", best {rmse:.3f} px on val" if rmse == rmse else ""
    text = f"{arm} seed {seed} ({run}): {status}, epoch {epoch}{best}"
    return f"{text}: {sentence}" if sentence else text
