"""K small networks, each for its own patch, computed as one network with K groups."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WIDTHS = (16, 32, 32)
_HIDDEN = 64


class GroupedReLU(nn.ReLU):
    """The ReLU of several networks in one: consecutive, equally large blocks of units belong to each."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups


class PatchNets(nn.Module):
    """Patches [B, K * C, P, P], a keypoint's C channels adjacent -> [B, 2K], an x and a y from each patch.

    Each network: 2x2 pixels become channels (a quarter of the work), conv 3x3, pool, conv 3x3, pool, conv 3x3, 64
    features. No weights are shared and no network sees another's patch. As one grouped network a step in bf16 is a
    fifth faster than a loop over K networks, in float32 equal (benchmarks/patch_nets.py); batched products of unfolded
    patches are slower.
    """

    gain = 1.2

    def __init__(self, *, keypoints: int, channels: int, side: int) -> None:
        super().__init__()
        k = self.keypoints = keypoints
        widths = (4 * channels, *_WIDTHS)
        self.convs = nn.ModuleList([nn.Conv2d(k * i, k * o, 3, padding=1, groups=k) for i, o in pairwise(widths)])
        self.hidden = nn.Conv2d(k * _WIDTHS[-1], k * _HIDDEN, side // 8, groups=k)
        self.output = nn.Conv2d(k * _HIDDEN, k * 2, 1, groups=k)
        self.relu = GroupedReLU(k)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)  # [B, 4KC, 25, 25] of 50x50
        for n, conv in enumerate(self.convs):
            x = conv(x)
            x = self.relu(F.max_pool2d(x, 2) if n < 2 else x)  # [B, 16K, 12, 12], [B, 32K, 6, 6], [B, 32K, 6, 6]
        x = self.relu(self.hidden(x))  # [B, 64K, 1, 1]
        return self.output(x).flatten(1)


def patch_nets_parameters(*, keypoints: int, channels: int, side: int) -> int:
    convs = sum((9 * i + 1) * o for i, o in pairwise((4 * channels, *_WIDTHS)))
    return keypoints * (convs + (_WIDTHS[-1] * (side // 8) ** 2 + 1) * _HIDDEN + (_HIDDEN + 1) * 2)
