"""A training shared by several processes, one per device, with the result of one process at the same batch size.

Each process works on a part of every batch. torch's DistributedDataParallel averages the gradients while the backward
pass runs. Its average is the gradient of the whole batch since each process divides its sum of errors by the labels
of all processes and multiplies by their number: exact for each loss, reduction and weight. Batch normalisation and
dropout see the whole batch too (`shared_layers`).

Rank 0 alone looks at the clock, listens to the user, evaluates and writes files. Before each step it sends the others
the position and how much of the budget is used, so that processes cannot disagree about the end of a stage or a stop.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from training.errors import UserError
from training.learning.augment.batch_random import BatchGenerator
from training.learning.fit.parallel.launch import Others, Place
from training.learning.fit.parallel.shared_layers import share_layers
from training.words import counted

T = TypeVar("T")

LOST = (
    "Another process of this training has ended (killed, out of memory, or the connection broke) or no longer answers; "
    "its own message, if any, is above. What was saved is intact: resume the run."
)


@dataclass(frozen=True)
class Step:
    """The step that rank 0 is about to do. done: how much of the budget is used, 0..1."""

    epoch: int
    batch: int
    done: float
    next_stage: bool = False  # no step, but the beginning of the next stage


class Ranks:
    """The processes of a training. Alone (the default), each method returns what it is given and costs nothing."""

    def __init__(self, here: Place | None = None) -> None:
        self.place = here or Place()
        self.part = slice(0, 0)  # of the present batch: this process's rows
        self.whole = 0  # rows of the present batch
        self.stop_asked = False  # some process was asked to stop
        self.stop_here = False  # this process was
        self.others = Others()  # started by this process
        self.patient: dist.ProcessGroup | None = None  # for what may take long; None: the usual one

    def __deepcopy__(self, memo: dict[int, Any]) -> Ranks:
        """Itself: a model's copy, whose layers know the processes, is of the same processes."""
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

    def from_first(self, text: str = "") -> str:
        """Rank 0's text, in each process."""
        return text if self.alone else self._texts(text)[0]

    def together(self, work: Callable[[], T]) -> T:
        """work(), in each process. If it fails in one it raises in all: there its error, in the others its message."""
        if self.alone:
            return work()
        try:
            result = work()
        except Exception as error:
            self._texts(str(error) or type(error).__name__)
            raise
        failed = [(rank, sentence) for rank, sentence in enumerate(self._texts("")) if sentence]
        if failed:
            raise UserError(f"Process {failed[0][0]} of {self.place.count} cannot take part: {failed[0][1]}")
        return result

    def check(self, fingerprint: str) -> None:
        """Raises UserError if another process has other labels or images, as with an old copy of a project."""
        if not self.alone and len(set(self._texts(fingerprint))) > 1:
            raise UserError(
                "The processes of this training see different data: the project folder must be the same one on each "
                "machine, or the same copy, and every image readable there."
            )

    def _texts(self, text: str) -> list[str]:
        """The texts of all processes, by rank. Sent as bytes: what comes from a network is never unpickled."""
        mine = text.encode()
        lengths = torch.zeros(self.place.count, dtype=torch.int64)
        lengths[self.place.rank] = len(mine)
        dist.all_reduce(lengths, group=self.patient)
        box = torch.zeros((self.place.count, int(lengths.max())), dtype=torch.uint8)
        box[self.place.rank, : len(mine)] = torch.tensor(list(mine), dtype=torch.uint8)
        dist.all_reduce(box, group=self.patient)
        return [bytes(row[:n].tolist()).decode() for row, n in zip(box, lengths.tolist(), strict=True)]

    def share_layers(self, model: nn.Module) -> None:
        """Let the model's layers see whole batches."""
        if not self.alone:
            share_layers(model, self)

    def shared(self, work: Callable[..., T], network: nn.Module) -> Callable[..., T]:
        """The forward pass `work`, whose backward pass gives each process the mean gradient of `network`'s parameters.

        All processes begin with rank 0's weights, and all call it.
        """
        if self.alone:
            return work
        found: Callable[..., T] = DistributedDataParallel(
            _Forward(work, network),
            broadcast_buffers=False,  # shared_layers keeps them alike
            gradient_as_bucket_view=True,
        )
        return found

    def threads(self, wanted: int) -> int:
        """Processor threads of this process if its machine's are to be `wanted` (0: every core)."""
        if self.alone:
            return wanted
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, (wanted or cores) // self.place.locals)

    # ---- each step

    def announce(self, step: Step) -> None:
        """Rank 0: have the others do this step too. In the others it does nothing."""
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
        """One small sum on the processor: rank 0 gives the step, each process whether it was asked to stop."""
        values = (step.epoch, step.batch, step.done, step.next_stage, self.stop_here)
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
        """Which of `count` rows are this process's. Raises UserError if there are fewer rows than processes."""
        if count < self.place.count:
            raise UserError(
                f"A batch of {count} images cannot be shared by {self.place.count} processes; use fewer of them."
            )
        return _part(count, self.place.rank, self.place.count)

    def shares(self) -> list[float]:
        """Which fraction of the present batch each process works on, by rank."""
        parts = [_part(self.whole, rank, self.place.count) for rank in range(self.place.count)]
        return [(part.stop - part.start) / self.whole for part in parts]

    def generator(self, seed: int) -> torch.Generator:
        """Random numbers for this process's part of the batch, as they are in the whole one."""
        if self.alone:
            return torch.Generator().manual_seed(seed)
        return BatchGenerator.of(seed, count=self.whole, part=self.part)

    def total(self, values: Tensor) -> Tensor:
        """The sum of all processes' values; no gradient."""
        if self.alone:
            return values
        found = values.detach().clone()
        dist.all_reduce(found)
        return found

    def whole_loss(self, *losses: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Losses of this process's part, each with its divisor -> (one to call backward on, one to report).

        The mean over the processes of the first loss's gradient is the gradient of the whole batch's loss; what is
        reported is the last loss over the whole batch.
        """
        if self.alone:
            return losses[0][0], losses[-1][0].detach()
        own = torch.stack([value for loss, divisor in losses for value in (loss.detach() * divisor, divisor)])
        sums = self.total(own)
        sums[1::2] = torch.where(sums[1::2] > 0, sums[1::2], 1)
        share = own[1] / sums[1]
        return losses[0][0] * (share * self.place.count), sums[-2] / sums[-1]

    def lost(self) -> str:
        """The message for a broken connection."""
        failure = self.others.lost()
        return f"{failure} What was saved is intact: resume the run." if failure else LOST

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Turn the error of a broken connection into a UserError."""
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, dist.DistError) or "gloo" in str(error) or "Connection" in str(error):
                raise UserError(self.lost()) from error
            raise


def _part(count: int, rank: int, ranks: int) -> slice:
    return slice(count * rank // ranks, count * (rank + 1) // ranks)


class _Forward(nn.Module):
    """A forward pass with the network whose parameters it uses, as DistributedDataParallel takes it."""

    def __init__(self, work: Callable[..., Any], network: nn.Module) -> None:
        super().__init__()
        self.work, self.network = work, network

    def forward(self, *values: Any) -> Any:
        return self.work(*values)


def check_device(ranks: Ranks, device: torch.device) -> None:
    """Raises UserError if the machine's processes cannot each have a device of this kind."""
    if ranks.alone or device.type == "cpu":
        return
    there = torch.cuda.device_count() if device.type == "cuda" else 1
    if ranks.place.locals > there:
        raise UserError(
            f"{ranks.place.locals} processes cannot share {counted(there, f'{device.type} device')}; "
            f"start as many as there are devices, or set device=cpu."
        )
