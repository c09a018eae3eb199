"""Wraps a network so that its outputs are points."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PointNet(nn.Module):
    """A network whose outputs are points: images [B, C, S, S] -> points [B, K, 2], px of the input.

    The outputs' unit is half the side; their origin [K, 2] (px) is the mean shape, or the image's centre.
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
    """The points for outputs of 0, [K, 2] px: the mean shape for targets "offset", the centre for "points"."""
    return torch.full_like(mean_shape, (side - 1) / 2) if targets == "points" else mean_shape
