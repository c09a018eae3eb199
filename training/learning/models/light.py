"""The light network: one heat map per keypoint at a quarter of the resolution, and a small head that regresses
coordinates.

A map's point is the mean of its cells' positions under its softmax (soft-argmax: Sun et al., Integral Human Pose
Regression, ECCV 2018), which gives sub-cell accuracy and a gradient for every cell. The coordinate head sees the whole
face and gives a plausible point where a map has no evidence. Both are trained, and their mean is the prediction.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.learning.models.layers import conv3
from training.learning.models.points import origin_of

_STRIDE = 4  # input px per cell of a map
_WIDTHS = (32, 48, 80, 128)  # channels of the stem and at a quarter, an eighth and a sixteenth of the resolution
_BLOCKS = 2  # residual blocks at each resolution
_REDUCED = 32  # input channels of the coordinate head


class Residual(nn.Module):
    """x + two convolutions 3x3 with BN: [B, c, H, W] -> [B, c, H, W]. Initially near the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = conv3(channels, channels), nn.BatchNorm2d(channels)
        self.conv2, self.norm2 = conv3(channels, channels), nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        nn.init.constant_(self.norm2.weight, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(y)) + x)


class Light(nn.Module):
    """Images [B, C, S, S] -> maps [B, K, S/4, S/4] (logits) and offsets [B, 2K]. 1.13 M parameters for 96x96x1 and K =
    15.

    width multiplies the channels.
    """

    def __init__(self, *, input_size: int, channels: int, outputs: int, dropout: float, width: float = 1.0) -> None:
        super().__init__()
        stem, fine, middle, coarse = scaled_widths(width)
        first = nn.Conv2d(channels, stem, 5, stride=2, padding=2, bias=False)
        self.stem = nn.Sequential(first, nn.BatchNorm2d(stem), nn.ReLU(inplace=True), *_down(stem, fine))
        self.fine = _residuals(fine)
        self.middle = nn.Sequential(*_down(fine, middle), _residuals(middle))
        self.coarse = nn.Sequential(*_down(middle, coarse), _residuals(coarse))
        self.to_middle, self.at_middle = _conv1(coarse, middle), _conv1(middle, middle)
        self.merge_middle = nn.Sequential(nn.BatchNorm2d(middle), nn.ReLU(inplace=True))
        self.to_fine, self.at_fine = _conv1(middle, fine), _conv1(fine, fine)
        self.merge_fine = nn.Sequential(
            nn.BatchNorm2d(fine), nn.ReLU(inplace=True), conv3(fine, fine), nn.BatchNorm2d(fine), nn.ReLU(inplace=True)
        )
        self.reduce = nn.Sequential(_conv1(coarse, _REDUCED), nn.BatchNorm2d(_REDUCED), nn.ReLU(inplace=True))
        self.dropout = nn.Dropout(dropout)
        offsets = nn.Linear(_REDUCED * (input_size // 16) ** 2, outputs)
        self.output = nn.ModuleDict({"maps": nn.Conv2d(fine, outputs // 2, 1), "offsets": offsets})

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(self.stem(x))  # [B, 48, 24, 24] of 96x96
        middle = self.middle(fine)  # [B, 80, 12, 12]
        coarse = self.coarse(middle)  # [B, 128, 6, 6]
        back = self.merge_middle(self.at_middle(middle) + F.interpolate(self.to_middle(coarse), scale_factor=2))
        back = self.merge_fine(self.at_fine(fine) + F.interpolate(self.to_fine(back), scale_factor=2))
        offsets = self.output["offsets"](self.dropout(self.reduce(coarse).flatten(1)))
        return self.output["maps"](back), offsets


class LightPoints(nn.Module):
    """Images [B, C, S, S] -> points [B, K, 2], px of the input: the mean of both heads.

    networks: one Light. The coordinate head's unit is half the side; its origin is the mean shape [K, 2], or the
    centre.
    """

    origin: Tensor

    def __init__(self, networks: Sequence[nn.Module], mean_shape: Tensor, *, targets: str, input_size: int) -> None:
        super().__init__()
        self.network = networks[0]
        self.half_side = input_size / 2
        self.register_buffer("origin", origin_of(mean_shape, targets=targets, side=input_size).clone())

    def forward(self, x: Tensor) -> Tensor:
        return self.heads(x).mean(dim=1)

    def heads(self, x: Tensor) -> Tensor:
        """The points of the maps and of the coordinate head, [B, 2, K, 2]; both are trained."""
        maps, offsets = self.network(x)
        places = self.origin + self.half_side * offsets.float().unflatten(1, (-1, 2))
        return torch.stack((soft_argmax(maps, stride=_STRIDE), places), dim=1)


def heads_of(model: nn.Module, x: Tensor) -> Tensor:
    """The points of each of a model's heads, [B, heads, K, 2]."""
    return model.heads(x) if isinstance(model, LightPoints) else model(x).unsqueeze(1)


def soft_argmax(maps: Tensor, *, stride: int) -> Tensor:
    """Logits [B, K, H, W] -> points [B, K, 2], px of an image with `stride` px per cell: the mean under the softmax."""
    share = maps.to(torch.promote_types(maps.dtype, torch.float32)).flatten(2).softmax(dim=-1).view(-1, *maps.shape[1:])
    places = [(torch.arange(n, device=maps.device) + 0.5) * stride - 0.5 for n in maps.shape[2:]]
    y = (share.sum(dim=3) * places[0]).sum(dim=-1)
    x = (share.sum(dim=2) * places[1]).sum(dim=-1)
    return torch.stack((x, y), dim=-1)


def each_head(pred: Tensor, points: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Points of several heads [B, heads, K, 2] as a batch [B * heads, K, 2], each with its image's labels and mask.

    Points of a single head [B, K, 2] are unchanged.
    """
    if pred.ndim == 3:
        return pred, points, mask
    heads = pred.shape[1]
    return pred.flatten(0, 1), points.repeat_interleave(heads, dim=0), mask.repeat_interleave(heads, dim=0)


def light_networks(*, input_size: int, channels: int, outputs: int, dropout: float, width: float) -> nn.ModuleList:
    """The one network, as `LightPoints` takes it."""
    return nn.ModuleList(
        [Light(input_size=input_size, channels=channels, outputs=outputs, dropout=dropout, width=width)]
    )


def light_parameters(*, input_size: int, channels: int, outputs: int, width: float = 1.0) -> int:
    stem, fine, middle, coarse = scaled_widths(width)
    steps = ((stem, fine), (fine, middle), (middle, coarse))
    path = sum(9 * i * o + 2 * o + _BLOCKS * 2 * (9 * o * o + 2 * o) for i, o in steps)
    back = middle * (coarse + middle) + 2 * middle + fine * (middle + fine) + 9 * fine * fine + 4 * fine
    maps = (fine + 1) * outputs // 2
    points = coarse * _REDUCED + 2 * _REDUCED + (_REDUCED * (input_size // 16) ** 2 + 1) * outputs
    return 25 * channels * stem + 2 * stem + path + back + maps + points


def scaled_widths(width: float) -> tuple[int, int, int, int]:
    """The channels at each resolution, multiples of 8."""
    stem, fine, middle, coarse = (max(8, 8 * round(c * width / 8)) for c in _WIDTHS)
    return stem, fine, middle, coarse


def _down(channels: int, out: int) -> list[nn.Module]:
    return [conv3(channels, out, stride=2), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]


def _residuals(channels: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels) for _ in range(_BLOCKS)))


def _conv1(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 1, bias=False)
