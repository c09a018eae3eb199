"""A training shared by several processes, one a device, started by torchrun: the numbers of one process at the same batch.

Each process works on a part of every batch. Rank 0 trains as a process alone would: it alone looks at the clock, listens
to the user, evaluates and writes files. Before each step it tells the others which one it is; they do as they are told,
so processes can't disagree about a budget, a stop or a random number.

Why not DistributedDataParallel: it averages the gradients of losses that each process has normalised for itself, which is
another number where labels are missing unevenly. Here the predictions of all processes (a few kilobytes) are brought
together before the loss, each process computes the loss of the whole batch, and the gradients are summed: exact for each
loss, reduction and weight. It also lets stages freeze parameters as they like, and the names of weights stay as they are.
The price: the sums do not overlap with the backward pass.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.errors import UserError
from training.learning.augment.batch_random import BatchGenerator
from training.learning.fit.parallel.launch import Place, end_with_launcher, place
from training.learning.fit.parallel.shared_layers import share_layers

T = TypeVar("T")

_BUCKET = 8 << 20  # values summed at once
# A process that ended is noticed at once. These are for one that hangs, or whose machine vanished. Others wait for rank 0
# while it evaluates and saves, and all for the one that reads its pictures last: that may take long. Between two steps
# the others have nothing to do, so rank 0 waits for them no longer than the slowest machine may need for a step.
_TIMEOUT = timedelta(minutes=30)
_STEP_TIMEOUT = timedelta(minutes=5)
LOST = (
    "Another process of this training has ended (killed, out of memory, or the connection broke) or no longer answers; its own "
    "words, if any, stand before this. What was saved is whole: resume the run."
)


@dataclass(frozen=True)
class Step:
    """The step that rank 0 is about to do. done: how much of the budget is used, 0..1."""

    epoch: int
    batch: int
    done: float
    next_stage: bool = False  # no step, but the beginning of the next stage


class Ranks:
    """The processes of a training. Alone (the default), each method gives back what it gets and costs nothing."""

    def __init__(self, here: Place | None = None) -> None:
        self.place = here or Place()
        self.part = slice(0, 0)  # of the present batch: this process's rows
        self.whole = 0  # rows of the present batch
        self.stop_asked = False  # some process was asked to stop
        self.told_to_stop = False  # this process was
        self.patient: dist.ProcessGroup | None = None  # for what may take long; None: the usual one

    def __deepcopy__(self, memo: dict[int, Any]) -> Ranks:
        """The copy of a model whose layers know the processes is of the same processes; connections cannot be copied."""
        return self

    @property
    def alone(self) -> bool:
        """Whether there is only this process."""
        return self.place.count == 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that decides, evaluates and writes."""
        return self.place.rank == 0

    # ---- before the first step

    def tell(self, value: Any = None) -> Any:
        """Rank 0's value, for everybody."""
        if self.alone:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def together(self, work: Callable[[], T]) -> T:
        """work() done by each process. Where it fails in one it raises in all: there its error, in the others its sentence."""
        if self.alone:
            return work()
        try:
            result = work()
        except Exception as error:
            self._gather(str(error) or type(error).__name__)
            raise
        failed = [(rank, sentence) for rank, sentence in enumerate(self._gather("")) if sentence]
        if failed:
            raise UserError(f"Process {failed[0][0]} of {self.place.count} cannot take part: {failed[0][1]}")
        return result

    def _gather(self, value: T) -> list[T]:
        found: list[Any] = [None] * self.place.count
        dist.all_gather_object(found, value, group=self.patient)
        return found

    def check(self, fingerprint: str) -> None:
        """Raises UserError where another process has other labels, pictures or settings, as with an old copy of a project."""
        if not self.alone and len(set(self._gather(fingerprint))) > 1:
            raise UserError(
                "The processes of this training see different data: the project folder must be the same one on each machine, "
                "or the same copy, and every picture readable there."
            )

    def start(self, model: nn.Module) -> None:
        """Begin with rank 0's weights in each process, and let the model's layers see whole batches."""
        if self.alone:
            return
        for value in model.state_dict().values():
            dist.broadcast(value, src=0)
        share_layers(model, self)

    def threads(self, wanted: int) -> int:
        """Processor threads of this process where its machine's are to be `wanted` (0: every core)."""
        if self.alone:
            return wanted
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, (wanted or cores) // self.place.locals)

    # ---- each step

    def announce(self, step: Step) -> None:
        """Rank 0: have the others do this step too. They call this too (through their step) and it does nothing."""
        if not self.alone and self.leads:
            self._exchange(step)

    def dismiss(self) -> None:
        """Rank 0: there is no further step."""
        if not self.alone and self.leads:
            self._exchange(Step(-1, -1, 0.0))

    def steps(self) -> Iterator[Step]:
        """Not rank 0: the steps to do, until rank 0 has no further."""
        while (step := self._exchange(Step(0, 0, 0.0))).epoch >= 0:
            yield step

    def _exchange(self, step: Step) -> Step:
        """One small sum on the processor: rank 0 gives the step, everybody whether it was told to stop."""
        values = (step.epoch, step.batch, step.done, step.next_stage, self.told_to_stop)
        box = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(box)
        epoch, batch, done, next_stage, stop = box.tolist()
        self.stop_asked = stop > 0
        return Step(int(epoch), int(batch), done, next_stage > 0)

    def take(self, rows: Tensor) -> Tensor:
        """This process's part of the batch's rows."""
        self.part, self.whole = self.slice(len(rows)), len(rows)
        return rows[self.part]

    def slice(self, count: int) -> slice:
        """Which of `count` rows are this process's. Raises UserError where there are fewer rows than processes."""
        here = self.place
        if count < here.count:
            raise UserError(
                f"A batch of {count} pictures cannot be shared by {here.count} processes; use fewer of them."
            )
        return slice(count * here.rank // here.count, count * (here.rank + 1) // here.count)

    def generator(self, seed: int) -> torch.Generator:
        """Random numbers for this process's part of the batch, as they are in the whole one."""
        if self.alone:
            return torch.Generator().manual_seed(seed)
        return BatchGenerator.of(seed, count=self.whole, part=self.part)

    def gather(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Tensors [b, ...] of this process's part -> [B, ...] of the whole batch; gradients go to this process's rows."""
        if self.alone:
            return values
        flat = torch.cat([v.detach().flatten(1).to(values[0].dtype) for v in values], dim=1)
        box = flat.new_zeros((self.whole, flat.shape[1]))
        box[self.part] = flat
        dist.all_reduce(box)
        columns = box.split([v[0].numel() for v in values], dim=1)
        return tuple(self._with_own(v, column) for v, column in zip(values, columns, strict=True))

    def _with_own(self, own: Tensor, column: Tensor) -> Tensor:
        everybody = column.reshape(self.whole, *own.shape[1:]).to(own.dtype)
        if not own.requires_grad:
            return everybody
        return torch.cat((everybody[: self.part.start], own, everybody[self.part.stop :]))

    def sum_gradients(self, model: nn.Module) -> None:
        """Make each parameter's gradient the sum of all processes'."""
        if self.alone:
            return
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        sums = [(bucket, torch.cat([g.flatten() for g in bucket])) for bucket in _buckets(grads)]
        waiting = [dist.all_reduce(flat, async_op=True) for _, flat in sums]
        for (bucket, flat), work in zip(sums, waiting, strict=True):
            work.wait()
            for grad, value in zip(bucket, flat.split([g.numel() for g in bucket]), strict=True):
                grad.copy_(value.view_as(grad))


def _buckets(grads: list[Tensor]) -> list[list[Tensor]]:
    """The gradients in runs of about _BUCKET values of one number format."""
    found: list[list[Tensor]] = []
    size = 0
    for grad in grads:
        if not found or size + grad.numel() > _BUCKET or grad.dtype != found[-1][0].dtype:
            found.append([])
            size = 0
        found[-1].append(grad)
        size += grad.numel()
    return found


@contextmanager
def joined() -> Iterator[Ranks]:
    """This process among those that torchrun started; alone where it did not. Raises UserError where they don't meet."""
    ranks = Ranks(place())
    if ranks.alone:
        yield ranks
        return
    end_with_launcher()
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus > ranks.place.local:
        torch.cuda.set_device(ranks.place.local)
    try:
        wait = _STEP_TIMEOUT if ranks.leads else _TIMEOUT
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=wait)
        ranks.patient = dist.new_group(timeout=_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"The processes of this training do not find each other: {error}") from error
    try:
        with connection_errors():
            yield ranks
    finally:
        dist.destroy_process_group()


@contextmanager
def connection_errors() -> Iterator[None]:
    """Turn the error of a broken connection into a UserError with a sentence."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error) or "Connection" in str(error):
            raise UserError(LOST) from error
        raise


def check_device(ranks: Ranks, device: torch.device) -> None:
    """Raises UserError where the machine's processes cannot each have a device of this kind."""
    if ranks.alone or device.type == "cpu":
        return
    there = torch.cuda.device_count() if device.type == "cuda" else 1
    if ranks.place.locals > there:
        raise UserError(
            f"{ranks.place.locals} processes cannot share {there} {device.type} device{'s' if there > 1 else ''}; "
            f"start as many as there are devices, or set device=cpu."
        )
