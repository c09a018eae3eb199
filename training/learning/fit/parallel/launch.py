"""How a training becomes several processes: where each of them stands, and starting the others on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from training.errors import UserError
from training.storage.runs.settings.config import RunConfig

_WATCH_SECONDS = 0.2
_END_SECONDS = 10.0  # for the other processes to end by themselves
_DEATH_SECONDS = 2.0  # a broken connection is noticed a little before the exit code of the process behind it
_MEETING = "FKP_MEETING"
_PLACE = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")  # as torchrun names them
if sys.platform == "win32":
    _NEW_GROUP = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _NEW_GROUP = 0


@dataclass(frozen=True)
class Place:
    """Where this process stands among those of its training: rank of count; local of locals on its machine.

    meeting: the file through which the processes of one machine find each other; "" where torchrun started them.
    """

    rank: int = 0
    count: int = 1
    local: int = 0
    locals: int = 1
    meeting: str = ""

    @property
    def one_machine(self) -> bool:
        """Whether all processes run on this machine."""
        return self.count == self.locals


@dataclass
class Others:
    """The processes that this one has started, by rank."""

    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def failure(self, *, wait: float = 0.0) -> str:
        """A sentence on the first process that ended with an error, after at most `wait` seconds; "" for none."""
        until = time.monotonic() + wait
        while True:
            for rank, process in self.running.items():
                if process.poll():
                    return f"Process {rank} of the training {_ending(process.returncode)}."
            if time.monotonic() >= until:
                return ""
            time.sleep(0.05)

    def lost(self) -> str:
        """Like `failure`, once a connection broke."""
        return self.failure(wait=_DEATH_SECONDS) if self.running else ""

    def end(self, *, wait: float) -> None:
        """Wait for all to end, and kill those that are still there after `wait` seconds."""
        until = time.monotonic() + wait
        for process in self.running.values():
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def place() -> Place:
    """This process's place as its environment says; alone if it says nothing. Raises UserError for invalid values."""
    meeting = os.environ.get(_MEETING, "")
    if any(name not in os.environ for name in (*_PLACE, *(() if meeting else ("MASTER_ADDR", "MASTER_PORT")))):
        return Place()
    try:
        rank, count, local, count_here = (int(os.environ[name]) for name in _PLACE)
    except ValueError:
        values = ", ".join(f"{name}={os.environ[name]}" for name in _PLACE)
        raise UserError(f"The environment does not say which process of a training this is: {values}.") from None
    return Place(rank, count, local, count_here, meeting) if count > 1 else Place()


def processes(config: RunConfig) -> int:
    """How many processes the run is to have on this machine: as set, or for 0 one for each graphics card.

    1 where torchrun has started this process, alone or with others.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ or place().count > 1:
        return 1
    if config.machine.processes or config.machine.device in ("cpu", "mps"):
        return config.machine.processes or 1
    import torch

    return max(1, torch.cuda.device_count())


@contextmanager
def others(count: int) -> Iterator[tuple[Place, Others]]:
    """Start the other `count` - 1 processes of a training on this machine; this one has rank 0.

    They find each other through a file that only this user can read. They end with the block: by themselves, or
    killed after an error. The first process alone gets Ctrl-C from the terminal.
    """
    with tempfile.TemporaryDirectory(prefix="fkp-", ignore_cleanup_errors=True) as folder:
        meeting = str(Path(folder) / "meeting")
        started = Others()
        wait = 0.0
        try:
            for rank in range(1, count):
                started.running[rank] = _start(Place(rank, count, rank, count, meeting))
            yield Place(0, count, 0, count, meeting), started
            wait = _END_SECONDS
        finally:
            started.end(wait=wait)


def _start(at: Place) -> subprocess.Popen[bytes]:
    values = dict(zip(_PLACE, map(str, (at.rank, at.count, at.local, at.locals)), strict=True))
    return subprocess.Popen(
        [sys.executable, "-m", "training.learning.fit.helping_process"],
        env={**os.environ, **values, _MEETING: at.meeting},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the first process speaks
        start_new_session=True,
        creationflags=_NEW_GROUP,
    )


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by signal {-code}{', probably out of memory' if code == -9 else ''}"


def end_with_launcher() -> None:
    """From now on this process ends at once when the one that started it is gone, whatever it is waiting for.

    Windows does not show that; there the broken connection ends it.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="launcher watch", daemon=True).start()
