"""Stands in for `python -m training train`: writes the events of a short training, or misbehaves on request.

Called as `python -m tests.helpers.fakes.training MODE RUN_DIR [--resume] --nice`.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
from pathlib import Path

from training.faces.measures.metrics import CED_AXIS
from training.processes.locks import Lock
from training.storage.runs.events import (
    CheckpointSaved,
    EpochDone,
    Event,
    Progress,
    RunFailed,
    RunFinished,
    RunStarted,
    Trouble,
    to_line,
)
from training.storage.runs.run import Run

EPOCHS = 6
KEYPOINTS = 15


def started(*, epoch: int = 0) -> RunStarted:
    return RunStarted("ml-resnet", 1000, 100, 1500, 20, "cpu", "bfloat16", 2, EPOCHS, None, epoch, 8.0)


def epoch_done(epoch: int, *, best: bool = True, offset: float = 0.0) -> EpochDone:
    rmse = 2.0 + 6.0 / epoch + offset
    ced = tuple(1 / (1 + math.exp(-(x - 0.01 * rmse) * 90)) if x else 0.0 for x in CED_AXIS)
    return EpochDone(
        epoch,
        9.0 / epoch,
        10.0 / epoch + offset,
        rmse,
        rmse / 40,
        "interocular",
        ced,
        0.4,
        0.1 + 0.2 / epoch,
        tuple(rmse * (0.5 + k / KEYPOINTS) for k in range(KEYPOINTS)),
        3e-4,
        412.0,
        epoch * 2.0,
        best,
    )


def finished(reason: str, *, epochs: int = EPOCHS) -> RunFinished:
    last = epoch_done(epochs)
    return RunFinished(reason, epochs, epochs, last.rmse, last.nme, last.seconds)


def an_epoch(epoch: int, *, batches: int = 4) -> list[Event]:
    steps = [
        Progress(epoch, b, batches, 9.5 / (epoch - 1 + b / batches), 412.0, (epoch - 1 + b / batches) / EPOCHS, 80.0)
        for b in range(1, batches + 1)
    ]
    return [*steps, epoch_done(epoch), CheckpointSaved(epoch, epoch_done(epoch).rmse)]


class Writer:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.file = run.events.open("ab", buffering=0)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def write(self, *events: Event) -> None:
        for event in events:
            self.file.write(to_line(event, time=time.time()).encode() + b"\n")

    def epochs(self, first: int, last: int, *, pause: float = 0.0) -> int:
        """Train these epochs, until the file `stop` appears. Returns the last completed epoch."""
        for epoch in range(first, last + 1):
            for event in an_epoch(epoch):
                self.write(event)
                time.sleep(pause)
            self.run.model.write_bytes(bytes(epoch))
            if self.run.stop.exists():
                return epoch
        return last


def main(mode: str, run: Run, *, resume: bool) -> int:
    with Lock(run.lock):
        print("a line for the log", flush=True)
        first = 1 + (int(json.loads((run.path / "fake.json").read_text())) if resume else 0)
        with Writer(run) as writer:
            return MODES[mode](writer, first)


def good(writer: Writer, first: int) -> int:
    writer.write(started(epoch=first - 1))
    writer.epochs(first, EPOCHS)
    writer.write(finished("done"))
    return 0


def slow(writer: Writer, first: int) -> int:
    """Run until stopped."""
    writer.write(started(epoch=first - 1))
    last = writer.epochs(first, 10_000, pause=0.02)
    (writer.run.path / "fake.json").write_text(str(last))
    writer.write(finished("stopped", epochs=last))
    return 0


def killed(writer: Writer, first: int) -> int:
    writer.write(started(), *an_epoch(1), *an_epoch(2))
    writer.file.write(b'{"event":"Progress","time":1,"epo')  # torn in the middle
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def garbage(writer: Writer, first: int) -> int:
    writer.write(started(), *an_epoch(1))
    writer.file.write(b"\xff\xfe not JSON\n{}\n" + b'{"event":"Unknown"}\n')
    writer.write(*an_epoch(2), finished("done", epochs=2))
    return 0


def failing(writer: Writer, first: int) -> int:
    writer.write(started(), *an_epoch(1), Trouble("nan", "The loss is not a number any more."))
    writer.write(
        RunFailed("The disk is full: the model of epoch 2 could not be written.", "Free some space, then resume.")
    )
    return 1


def speechless(writer: Writer, first: int) -> int:
    print("ModuleNotFoundError: No module named 'torch'", file=sys.stderr)
    return 3


MODES = {f.__name__: f for f in (good, slow, killed, garbage, failing, speechless)}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], Run(Path(sys.argv[2])), resume="--resume" in sys.argv))
