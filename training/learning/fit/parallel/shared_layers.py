"""Layers that look at a whole batch while it is shared by several processes: batch normalisation and dropout."""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Share(Protocol):
    """Which rows of the present batch this process works on."""

    part: slice
    whole: int


def share_layers(model: nn.Module, share: Share) -> None:
    """Let the model's layers give what one process would for the whole batch. Parameters and buffers stay the same objects."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _BatchNorm):
                setattr(parent, name, _shared_norm(child))
            elif isinstance(child, nn.Dropout):
                setattr(parent, name, SharedDropout(child.p, share))


def _shared_norm(norm: _BatchNorm) -> _BatchNorm:
    on_gpu = norm.weight is not None and norm.weight.is_cuda
    kind = nn.SyncBatchNorm if on_gpu else SharedBatchNorm
    shared = kind(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        setattr(shared, name, getattr(norm, name))
    return shared.train(norm.training)


class SharedBatchNorm(_BatchNorm):
    """Batch normalisation with mean and variance over the rows of all processes (torch has it for CUDA only).

    Forward two sums over all processes, backward their gradients: the same as of the whole batch in one process.
    """

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002  - torch's name
        """Any number of axes."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  - torch's name
        if not self.training:
            return super().forward(input)
        axes = [0, *range(2, input.ndim)]
        shape = [1, -1, *[1] * (input.ndim - 2)]
        x = input.to(self.weight.dtype)
        count = _SumOverProcesses.apply(x.new_tensor(float(x.numel() // x.shape[1])))
        mean = _SumOverProcesses.apply(x.sum(axes)) / count
        centred = x - mean.view(shape)
        variance = _SumOverProcesses.apply(centred.square().sum(axes)) / count
        self._remember(mean.detach(), variance.detach() * (count / (count - 1).clamp(min=1)))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(shape) + self.bias.view(shape)).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """The running mean and (unbiased) variance that are used when predicting."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return  # a layer that keeps none
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class SharedDropout(nn.Dropout):
    """Dropout whose random numbers are those of the whole batch: torch's own of one process, number for number, on a CPU."""

    def __init__(self, p: float, share: Share) -> None:
        super().__init__(p)
        self.share = share

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  - torch's name
        if not self.training or self.p == 0:
            return input
        each = len(input) // len(range(self.share.whole)[self.share.part])  # rows a picture
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
