"""Stands in for `fkp experiment ... --json`: writes the events of a short experiment, or waits until it is stopped.

Called as `python -m tests.helpers.fakes.experiment MODE NAME PROJECT ... --json`.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from training.experiments.conduct import hold
from training.experiments.experiment_events import (
    ExperimentDone,
    ExperimentEnded,
    ExperimentEvent,
    ExperimentStarted,
    Measuring,
    RunProgress,
    to_line,
)
from training.experiments.options import FOLDER
from training.experiments.papers.catalogue import find_experiment

HEAD, ROW = ("arm", "RMSE"), ("CNN", "2.00 px (1.90 to 2.10)")
SENTENCE = "ML-CNN beats CNN by 0.31 px, 95 % interval 0.25 to 0.37."


def say(event: ExperimentEvent) -> None:
    print(to_line(event), flush=True)


def main(mode: str, name: str, project: Path) -> int:
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    if mode == "refused":
        print("The val split of p has no labelled face to measure on.", file=sys.stderr)
        return 2
    folder = project / FOLDER / name
    arms = find_experiment(name).trained
    with hold(folder):
        say(
            ExperimentStarted(
                name, name, tuple((a.name, a.title, s) for s in (0, 1) for a in arms), "6 trainings.", 9.0
            )
        )
        say(RunProgress(arms[0].name, 0, "0001-cnn", "done", 1.0, 9, 1.93))
        say(RunProgress(arms[1].name, 0, "0002-ml-cnn", "running", 0.4, 4, 2.31))
        while mode == "slow" and not stopped:
            time.sleep(0.02)
        if stopped:
            say(ExperimentEnded("Stopped. What was trained is kept."))
            return 130
        say(Measuring(0.5))
        say(ExperimentDone(str(folder / "report.html"), str(folder), HEAD, (ROW,), ("1 agrees.", SENTENCE)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
