"""Layers that several networks share."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WideStem(nn.Module):
    """Convolution of an odd size, 'same' padding, stride 1, then max pool 2x2: [B, C, S, S] -> [B, out, S/2, S/2].

    Computed as one convolution at half the resolution: 2x2 pixels become channels, and the four outputs that a pool
    cell compares become four groups of channels. The result is identical; with one input channel the plain form is
    several times slower on a CPU, mostly in the pool's backward pass.
    """

    def __init__(self, channels: int, out: int, *, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out, channels, size, size))
        self.bias = nn.Parameter(torch.zeros(out))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        pad = self.weight.shape[-1] // 2
        x = F.pixel_unshuffle(F.pad(x, (pad, pad, pad, pad)), 2)  # [B, 4C, S/2 + pad, S/2 + pad]
        x = x.contiguous(memory_format=torch.channels_last)
        y = F.conv2d(x, self.folded())  # [B, 4 * out, S/2, S/2]
        y = _MaxOfFour.apply(y)  # [B, out, S/2, S/2]
        return y + self.bias.to(y.dtype)[:, None, None]

    def folded(self) -> Tensor:
        """The weight of the convolution at half resolution, [4 * out, 4C, n, n] with n = (size + 1) / 2."""
        out, channels, size, _ = self.weight.shape
        n = (size + 1) // 2
        moved = [F.pad(self.weight, (j, 1 - j, i, 1 - i)) for i in (0, 1) for j in (0, 1)]
        folded = torch.stack(moved).view(4 * out, channels, n, 2, n, 2)
        folded = folded.permute(0, 1, 3, 5, 2, 4).reshape(4 * out, 4 * channels, n, n)
        return folded.contiguous(memory_format=torch.channels_last)


class _MaxOfFour(torch.autograd.Function):
    """The maximum of four groups of channels: [B, 4c, H, W] -> [B, c, H, W]; among equals the first gets the
    gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        a, b, c, d = x.chunk(4, dim=1)
        top, bottom = torch.maximum(a, b), torch.maximum(c, d)
        ctx.save_for_backward(a >= b, c >= d, top >= bottom)
        return torch.maximum(top, bottom)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        first, third, upper = ctx.saved_tensors
        grad = grads[0].contiguous(memory_format=torch.channels_last)
        batch, channels, height, width = grad.shape
        out = torch.empty(
            (batch, 4 * channels, height, width),
            dtype=grad.dtype,
            device=grad.device,
            memory_format=torch.channels_last,
        )
        a, b, c, d = out.chunk(4, dim=1)
        top = grad * upper
        bottom = grad - top
        torch.mul(top, first, out=a)
        torch.sub(top, a, out=b)
        torch.mul(bottom, third, out=c)
        torch.sub(bottom, c, out=d)
        return out


def conv3(channels: int, out: int, *, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution, 'same' padding, no bias (batch normalisation follows)."""
    return nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
