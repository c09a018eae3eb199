"""The recipes' networks in plain PyTorch, as a reference for our training step.

Each is made by `PLAIN[model](side, channels, keypoints)` and maps images [B, C, S, S] to points [B, K, 2] in px.
Convolution, ReLU, pool in the papers' order, default layouts, a loop over the cascade's networks.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.learning.models.resnet50 import ResNet50

PATCH = 50


class Points(nn.Module):
    """Scale outputs given in half sides from the middle of the image to px."""

    def __init__(self, network: nn.Module, side: int) -> None:
        super().__init__()
        self.network, self.side = network, side

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x).float().view(len(x), -1, 2) * self.side / 2 + (self.side - 1) / 2


def plain_cnn(widths: tuple[int, ...], side: int, channels: int, keypoints: int) -> nn.Module:
    """conv 3x3, ReLU, max pool for each width; 1024 features."""
    layers: list[nn.Module] = []
    for i, o in pairwise((channels, *widths)):
        layers += [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    inputs = widths[-1] * (side // 2 ** len(widths)) ** 2
    head = [nn.Flatten(), nn.Linear(inputs, 1024), nn.ReLU(), nn.Dropout(0.1), nn.Linear(1024, 2 * keypoints)]
    return Points(nn.Sequential(*layers, *head), side)


class Block(nn.Module):
    """conv, BN, ReLU, conv / 2, BN, with a 1x1 / 2 shortcut or none."""

    def __init__(self, channels: int, out: int, *, residual: bool) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.norm2 = nn.Conv2d(out, out, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(out)
        self.short = nn.Conv2d(channels, out, 1, stride=2, bias=False) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y if self.short is None else y + self.short(x))


def ml_net(side: int, channels: int, keypoints: int, *, residual: bool) -> nn.Module:
    """ML-ResNet or ML-CNN."""
    stem = [nn.Conv2d(channels, 32, 11, padding=5), nn.MaxPool2d(2), nn.BatchNorm2d(32), nn.ReLU()]
    blocks = [Block(32, 32, residual=residual), Block(32, 64, residual=residual), nn.Flatten()]
    head = [nn.Linear(64 * (side // 8) ** 2, 1000), nn.ReLU(), nn.Dropout(0.1), nn.Linear(1000, 2 * keypoints)]
    return Points(nn.Sequential(*stem, *blocks, *head), side)


def mlp(side: int, channels: int, keypoints: int) -> nn.Module:
    """One hidden layer of 500."""
    layers = [
        nn.Flatten(),
        nn.Linear(channels * side**2, 500),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(500, 2 * keypoints),
    ]
    return Points(nn.Sequential(*layers), side)


class PlainCascade(nn.Module):
    """Level 2 as a loop: a crop around each point of level 1, with a network per point."""

    def __init__(self, side: int, channels: int, keypoints: int) -> None:
        super().__init__()
        self.first = plain_cnn((16, 32, 64, 128), side, channels, keypoints).requires_grad_(False)
        self.nets = nn.ModuleList(_patch_net(channels) for _ in range(keypoints))
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            points = self.first(x)
        zoom = torch.eye(2, device=x.device).mul(PATCH / self.side).expand(len(x), 2, 2)
        found = []
        for k, net in enumerate(self.nets):
            centre = (2 * points[:, k] + 1) / self.side - 1
            theta = torch.cat((zoom, centre.unsqueeze(-1)), dim=-1)
            grid = F.affine_grid(theta, [len(x), x.shape[1], PATCH, PATCH], align_corners=False)
            patch = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
            found.append(points[:, k] + net(patch).float() * PATCH / 2)
        return torch.stack(found, dim=1)


def _patch_net(channels: int) -> nn.Module:
    convs = [nn.Conv2d(4 * channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    convs += [nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()]
    head = [nn.Flatten(), nn.Linear(32 * 6 * 6, 64), nn.ReLU(), nn.Linear(64, 2)]
    return nn.Sequential(nn.PixelUnshuffle(2), *convs, *head)


class PlainTwoStage(nn.Module):
    """CNN-7 on a second crop, aligned by the points of a fixed CNN-6."""

    def __init__(self, side: int, channels: int, keypoints: int) -> None:
        super().__init__()
        self.small, self.side = min(64, side), side
        self.first = plain_cnn(WIDTHS["cnn-6"], self.small, channels, keypoints).requires_grad_(False)
        self.second = plain_cnn(WIDTHS["cnn-7"], side, channels, keypoints)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            points = self.first(F.interpolate(x, size=(self.small, self.small), mode="area"))
            centre = points.mean(dim=1) * 2 / self.small - 1
            size = points.std(dim=1).mean(dim=1).view(-1, 1, 1) / self.small + 0.7
            theta = torch.cat((torch.eye(2, device=x.device) * size, centre.unsqueeze(-1)), dim=-1)
            grid = F.affine_grid(theta, list(x.shape), align_corners=False)
            x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        return self.second(x)


WIDTHS = {"cnn-6": (32, 64, 128, 256, 512), "cnn-7": (64, 128, 256, 512, 512, 512)}
PLAIN: dict[str, Callable[[int, int, int], nn.Module]] = {
    "ml-resnet": lambda side, channels, keypoints: ml_net(side, channels, keypoints, residual=True),
    "ml-cnn": lambda side, channels, keypoints: ml_net(side, channels, keypoints, residual=False),
    "cnn-6": lambda side, channels, keypoints: plain_cnn(WIDTHS["cnn-6"], side, channels, keypoints),
    "cnn-7": lambda side, channels, keypoints: plain_cnn(WIDTHS["cnn-7"], side, channels, keypoints),
    "cnn-6-7": PlainTwoStage,
    "cascade": PlainCascade,
    "mlp": mlp,
    "resnet-50": lambda side, channels, keypoints: Points(
        ResNet50(input_size=side, channels=channels, outputs=2 * keypoints, dropout=0.1), side
    ),
}
