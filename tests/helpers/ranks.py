"""`python -m tests.helpers.ranks FOLDER`: runs trainings shared by several processes, reports JSON on stdout.

torch is loaded once, then each process is a fork with torchrun's variables. FOLDER has a project with runs 1 to 4.
"""

from __future__ import annotations

import copy
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, nn

from training.learning.fit.parallel import connection
from training.learning.fit.parallel.connection import joined
from training.learning.fit.parallel.ranks import Ranks
from training.learning.fit.step.losses import divisor, wing
from training.learning.fit.train_run import help_to_train, train_run
from training.learning.models.ml_resnet import MLResNet
from training.learning.models.plain_cnn import CNN6
from training.storage.runs.events import EpochDone, RunFailed, RunStarted
from training.storage.runs.folder import is_running, read_events
from training.storage.runs.listing import read_run
from training.storage.runs.run import Run

SECONDS = 60.0


def start(works: Sequence[Callable[[], int]], *, torchrun: bool = False) -> list[int]:
    """A process for each, which find each other as our own do or as torchrun's do; their numbers."""
    meeting = {"FKP_MEETING": f"{sys.argv[1]}/meeting-{time.monotonic_ns()}"}
    place = {**(address() if torchrun else meeting), "WORLD_SIZE": len(works), "LOCAL_WORLD_SIZE": len(works)}
    found = []
    for rank, work in enumerate(works):
        number = os.fork()
        if number == 0:
            os.environ.update({name: str(value) for name, value in {**place, "RANK": rank, "LOCAL_RANK": rank}.items()})
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            code = 1
            with suppress(KeyboardInterrupt):
                code = work()
            os._exit(code)
        found.append(number)
    return found


def address() -> dict[str, object]:
    """Where torchrun's processes meet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free.getsockname()[1]}


def train(run: Run, *, resume: bool = False) -> list[int]:
    """The processes that train this run."""

    def lead() -> int:
        return int(isinstance(train_run(run, resume=resume), RunFailed))

    return start([lead, help_to_train])


def ended(numbers: Sequence[int]) -> list[int]:
    """Their exit codes; the negative signal if one ended them."""
    return [os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) for number in numbers]


def until(what: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + SECONDS
    while not what():
        if time.monotonic() > end:
            raise TimeoutError("nothing happened")
        time.sleep(0.02)


def epochs(run: Run) -> int:
    """Epochs since the run started or resumed."""
    events, _ = read_events(run)
    last = max((n for n, e in enumerate(events) if isinstance(e, RunStarted)), default=len(events))
    return sum(isinstance(e, EpochDone) for e in events[last:])


def stopped_by_the_other(run: Run) -> dict[str, object]:
    """Ctrl-C reaches only the process that is not the leader."""
    numbers = train(run)
    until(lambda: epochs(run) > 0)
    os.kill(numbers[1], signal.SIGINT)
    return {"codes": ended(numbers), "status": read_run(run).status}


def lost(run: Run) -> dict[str, object]:
    """The process that is not the leader is killed."""
    before = epochs(run)
    numbers = train(run, resume=True)
    until(lambda: is_running(run) and 0 < epochs(run) != before)
    os.kill(numbers[1], signal.SIGKILL)
    codes = ended(numbers)
    end = read_events(run)[0][-1]
    return {"codes": codes, "said": end.message if isinstance(end, RunFailed) else ""}


def silent(run: Run) -> dict[str, object]:
    """The process that does not lead hangs."""
    connection._STEP_TIMEOUT = timedelta(seconds=2)
    before = epochs(run)
    numbers = train(run, resume=True)
    until(lambda: not is_alive(numbers[0]) or (is_running(run) and 0 < epochs(run) != before))
    os.kill(numbers[1], signal.SIGSTOP)
    codes = ended(numbers[:1])
    os.kill(numbers[1], signal.SIGKILL)
    ended(numbers[1:])
    end = read_events(run)[0][-1]
    return {"codes": codes, "said": end.message if isinstance(end, RunFailed) else ""}


def orphaned(run: Run) -> dict[str, object]:
    """The parent of the processes is killed."""
    reader, writer = os.pipe()
    launcher = os.fork()
    if launcher == 0:
        numbers = train(run, resume=True)
        os.write(writer, json.dumps(numbers).encode())
        ended(numbers)
        os._exit(0)
    numbers = json.loads(os.read(reader, 100))
    before = epochs(run)
    until(lambda: is_running(run) and 0 < epochs(run) != before)
    os.kill(launcher, signal.SIGKILL)
    os.waitpid(launcher, 0)
    until(lambda: not any(map(is_alive, numbers)) and not is_running(run))  # its threads end one by one
    return {"status": read_run(run).status}


def is_alive(number: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def exact(folder: Path) -> dict[str, float]:
    """The largest difference of any weight or running statistic after three steps, shared and alone, in float64."""

    def work() -> int:
        with joined() as ranks:
            nets = {"cnn-6": CNN6, "ml-resnet": MLResNet}
            found = {name: difference(ranks, make) for name, make in nets.items()}
            if ranks.leads:
                (folder / "exact.json").write_text(json.dumps(found))
        return 0

    ended(start([work, work], torchrun=True))
    found: dict[str, float] = json.loads((folder / "exact.json").read_text())
    return found


def difference(ranks: Ranks, make: Callable[..., nn.Module]) -> float:
    torch.manual_seed(0)
    alone = make(input_size=32, channels=1, outputs=6, dropout=0.3).double()
    shared = copy.deepcopy(alone)
    ranks.share_layers(shared)
    forward = ranks.shared(shared, shared)
    for step in range(3):
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(7, 1, 32, 32, generator=generator, dtype=torch.float64)
        target = torch.randn(7, 3, 2, generator=generator, dtype=torch.float64)
        mask = torch.arange(3) < torch.tensor([1, 1, 1, 3, 3, 3, 2])[:, None]  # many are missing in the first half
        torch.manual_seed(step)
        wing(alone(x).view(7, 3, 2), target, mask).backward()
        descend(alone)
        torch.manual_seed(step)
        rows = ranks.take(torch.arange(7))
        part = forward(x[rows]).view(len(rows), 3, 2), target[rows], mask[rows]
        ranks.whole_loss((wing(*part), divisor(part[0], part[2])))[0].backward()
        descend(shared)
    pairs = zip(alone.state_dict().values(), shared.state_dict().values(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


@torch.no_grad()
def descend(model: nn.Module) -> None:
    for value in model.parameters():
        gradient = value.grad
        if isinstance(gradient, Tensor):
            value -= 0.05 * gradient
        value.grad = None


def tell(folder: Path) -> None:
    *first, long = map(Run, sorted((folder / "small.fkp" / "runs").glob("0*")))
    print(
        json.dumps(
            {
                "exact": exact(folder),
                "trained": [ended(train(run)) for run in first],
                "stopped": stopped_by_the_other(long),
                "lost": lost(long),
                "orphaned": orphaned(long),
                "silent": silent(long),
            }
        )
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])  # loads much of torch, once for all forks
    tell(Path(sys.argv[1]))
