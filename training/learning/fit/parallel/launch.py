"""How a training becomes several processes: what torchrun tells each of them, and starting it where nobody has. Torch-free at import."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.errors import UserError
from training.storage.runs.settings.config import RunConfig

_WATCH_SECONDS = 0.2


@dataclass(frozen=True)
class Place:
    """Where this process stands among those of its training: rank of count; local of locals on its machine."""

    rank: int = 0
    count: int = 1
    local: int = 0
    locals: int = 1


def place() -> Place:
    """This process's place as torchrun tells it; alone where nothing is told. Raises UserError for values that are none."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if any(name not in os.environ for name in (*names, "MASTER_ADDR", "MASTER_PORT")):
        return Place()
    try:
        found = Place(*(int(os.environ[name]) for name in names))
    except ValueError:
        values = ", ".join(f"{name}={os.environ[name]}" for name in names)
        raise UserError(f"The environment does not say which process of a training this is: {values}.") from None
    return found if found.count > 1 else Place()


def processes(config: RunConfig) -> int:
    """How many processes the run is to have on this machine: as set, or for 0 one for each graphics card."""
    if config.processes or config.device in ("cpu", "mps"):
        return config.processes or 1
    import torch

    return max(1, torch.cuda.device_count())


def start_together(config: RunConfig, arguments: Sequence[str], *, should_stop: Callable[[], bool]) -> None:
    """Become torchrun with `python -m ARGUMENTS` in several processes, where the run is to have them; else return.

    The process keeps its number and its parent, so whoever watches or ends it need not know. Counting graphics cards takes
    a second; should_stop: whether a stop was asked for meanwhile, which a new program would not know of.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return
    count = processes(config)
    if count == 1 or should_stop():
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each process sets its threads itself; torchrun would remark on it
    command = [
        sys.executable,
        "-m",
        "training.learning.fit.parallel.together",
        "--standalone",
        "--nproc-per-node",
        str(count),
    ]
    sys.stdout.flush()
    os.execv(sys.executable, [*command, "-m", *arguments])  # noqa: S606  - a list of arguments, no shell


def end_with_launcher() -> None:
    """From now on this process ends at once when the one that started it is gone, whatever it is waiting for."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="launcher watch", daemon=True).start()
