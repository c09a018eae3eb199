"""The wrapper that turns a network's outputs into points."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PointNet(nn.Module):
    """A network whose outputs are read as points: pictures [B, C, S, S] -> points [B, K, 2], px of the input.

    The outputs count in half sides from `origin` [K, 2] (px): the mean shape, or the picture's centre.
    """

    origin: Tensor

    def __init__(self, network: nn.Module, origin: Tensor, *, input_size: int) -> None:
        super().__init__()
        self.network = network
        self.half_side = input_size / 2
        self.register_buffer("origin", origin.clone())

    def forward(self, x: Tensor) -> Tensor:
        offsets = self.network(x).float().unflatten(1, (-1, 2))  # [B, K, 2]
        return self.origin + self.half_side * offsets


def origin_of(mean_shape: Tensor, *, targets: str, side: int) -> Tensor:
    """Where outputs of 0 are, [K, 2] px: the mean shape for targets "offset", the centre of the side for "points"."""
    return torch.full_like(mean_shape, (side - 1) / 2) if targets == "points" else mean_shape
