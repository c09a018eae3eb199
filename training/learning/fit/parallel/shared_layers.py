"""Layers that look at a whole batch while several processes share it: batch normalisation and dropout."""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Share(Protocol):
    """Which rows of the present batch this process works on."""

    part: slice
    whole: int

    def shares(self) -> list[float]:
        """Which fraction of the batch each process works on, by rank."""
        ...


def share_layers(model: nn.Module, share: Share) -> None:
    """Let the model's layers compute what one process would for the whole batch.

    Parameters and buffers stay the same.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _BatchNorm):
                setattr(parent, name, _shared_norm(child, share))
            elif isinstance(child, nn.Dropout):
                setattr(parent, name, SharedDropout(child.p, share))


def _shared_norm(norm: _BatchNorm, share: Share) -> _BatchNorm:
    """torch's SyncBatchNorm on CUDA, which is all it can do; ours elsewhere."""
    sizes = (norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    if norm.weight is not None and norm.weight.is_cuda:
        shared: _BatchNorm = nn.SyncBatchNorm(*sizes)
    else:
        shared = SharedBatchNorm(*sizes)
        shared.share = share
    for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        setattr(shared, name, getattr(norm, name))
    return shared.train(norm.training)


class SharedBatchNorm(_BatchNorm):
    """Batch normalisation with mean and variance over the rows of all processes, with gloo.

    One sum over the processes forward, one backward: a batch's mean and variance follow from those of its parts.
    """

    share: Share

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002  - torch's name
        """Any number of axes."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  - torch's name
        if not self.training:
            return super().forward(input)
        axes = [0, *range(2, input.ndim)]
        shape = [1, -1, *[1] * (input.ndim - 2)]
        x = input.to(self.weight.dtype)
        shares = x.new_tensor(self.share.shares()).unsqueeze(1)  # [R, 1]
        variances, means = self._of_all(*torch.var_mean(x, axes, correction=0))  # [R, C] each
        mean = (shares * means).sum(dim=0)
        variance = (shares * (variances + (means - mean).square())).sum(dim=0)
        count = x.numel() / x.shape[1] * self.share.whole / len(range(self.share.whole)[self.share.part])
        self._remember(mean.detach(), variance.detach() * (count / max(count - 1, 1)))
        scale = self.weight * (variance + self.eps).rsqrt()
        return ((x - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)).to(input.dtype)

    def _of_all(self, *own: Tensor) -> Tensor:
        """[C] each -> [n, R, C]: the values of all R processes."""
        values = torch.stack(own).unsqueeze(1)
        before = dist.get_rank()
        after = dist.get_world_size() - before - 1
        found: Tensor = _SumOverProcesses.apply(F.pad(values, (0, 0, before, after)))
        return found

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running mean and (unbiased) variance that predictions use."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return  # a layer that keeps none
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class SharedDropout(nn.Dropout):
    """Dropout with the random numbers of the whole batch: on a CPU exactly those that torch draws in one process."""

    def __init__(self, p: float, share: Share) -> None:
        super().__init__(p)
        self.share = share

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  - torch's name
        if not self.training or self.p == 0:
            return input
        each = len(input) // len(range(self.share.whole)[self.share.part])  # rows per image
        whole = torch.empty((self.share.whole * each, *input.shape[1:]), dtype=input.dtype, device=input.device)
        kept = whole.bernoulli_(1 - self.p)[self.share.part.start * each : self.share.part.stop * each]
        return input * kept * (1 / (1 - self.p))


class _SumOverProcesses(torch.autograd.Function):
    """The sum of all processes' tensors, for each of them; so its gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].clone()
        dist.all_reduce(total)
        return total
