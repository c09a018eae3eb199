"""Stands in for `python -m training train` in a search: ten epochs whose error depends on the learning rate alone.

Called as `python -m tests.helpers.fakes.trial MODE RUN_DIR [--resume] --nice`.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

from training.faces.measures.metrics import CED_AXIS
from training.processes.locks import Lock
from training.storage.runs.events import EpochDone, Event, RunFailed, RunFinished, RunStarted, from_line, to_line
from training.storage.runs.run import Run

EPOCHS = 10
BAD = 2.5  # px, final error above which a median stops a trial
STARTUP = 4  # trials that are never stopped


def final_error(learning_rate: float) -> float:
    """2 px at 1e-3, plus one for each order of magnitude away from it."""
    return 2.0 + abs(math.log10(learning_rate) + 3)


def epoch_done(epoch: int, error: float) -> EpochDone:
    rmse = error + 3.0 / epoch - 3.0 / EPOCHS
    ced = tuple(0.5 for _ in CED_AXIS)
    return EpochDone(epoch, 1.0, 1.0, rmse, rmse / 40, "interocular", ced, 0.4, 0.1, (rmse,), 1e-3, 400.0, 1.0, True)


def main(mode: str, run: Run, *, resume: bool) -> int:
    about = json.loads(run.config.read_text())
    error, path = final_error(about["config"]["learning_rate"]), run.events
    hopeless = error > BAD and int(about["search"].partition("/")[2]) >= STARTUP
    with Lock(run.lock), path.open("a") as file:

        def write(event: Event) -> None:
            file.write(to_line(event, time=time.time()) + "\n")
            file.flush()

        if mode == "failing":
            write(RunFailed("The disk is full.", "Free some space."))
            return 1
        first = 1
        if resume:
            first += sum(isinstance(from_line(line), EpochDone) for line in path.read_text().splitlines())
            (run.path / "resumed").touch()
        write(RunStarted("cnn-6", 1, 1, 1, 1, "cpu", "float32", 1, EPOCHS, None, first - 1, 8.0))
        for epoch in range(first, EPOCHS + 1):
            write(epoch_done(epoch, error))
            run.resume.write_bytes(bytes(100))
            run.model.write_bytes(bytes(epoch))
            if waits(mode, epoch, run, hopeless=hopeless):
                write(RunFinished("stopped", epoch, epoch, epoch_done(epoch, error).rmse, 0.1, 1.0))
                return 0
        write(RunFinished("done", EPOCHS, EPOCHS, error, 0.1, 1.0))
    return 0


def waits(mode: str, epoch: int, run: Run, *, hopeless: bool) -> bool:
    """Halfway, wait for a file `go` (gated) or to be stopped (prunable and bad). Returns whether it was stopped."""
    if epoch == EPOCHS // 2 and (mode == "gated" or (mode == "prunable" and hopeless)):
        until = time.monotonic() + 200
        while time.monotonic() < until and not run.stop.exists():
            if mode == "gated" and (run.path.parent / "go").exists():
                return False
            time.sleep(0.02)
    return run.stop.exists()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], Run(Path(sys.argv[2])), resume="--resume" in sys.argv))
