"""A batch of uint8 pictures becomes the network's input: one affine warp and a few whole-batch operations, no loop."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from training.config import RunConfig


def to_float(pictures: Tensor, *, channels: int) -> Tensor:
    """uint8 [B, S, S] or [B, S, S, 3] -> float32 [B, channels, S, S] in 0..255; gray and colour are turned into each other."""
    x = pictures.unsqueeze(1) if pictures.ndim == 3 else pictures.permute(0, 3, 1, 2)
    x = x.float()
    if x.shape[1] == channels:
        return x
    if channels == 3:
        return x.expand(-1, 3, -1, -1)
    weights = torch.tensor((0.299, 0.587, 0.114), device=x.device).view(1, 3, 1, 1)
    return (x * weights).sum(dim=1, keepdim=True)


def standardise(x: Tensor) -> Tensor:
    """Each picture [C, S, S] with mean 0 and standard deviation 1: light and contrast of the camera no longer count."""
    spread, mean = torch.std_mean(x, dim=(1, 2, 3), keepdim=True, correction=0)
    return (x - mean) / (spread + 1e-3)


def prepare(pictures: Tensor, *, channels: int) -> Tensor:
    """The network's input without augmentation: [B, C, S, S], channels last."""
    return standardise(to_float(pictures, channels=channels)).contiguous(memory_format=torch.channels_last)


def augment(
    pictures: Tensor, points: Tensor, mask: Tensor, *, config: RunConfig, flip: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures uint8 [B, S, S(, 3)] with points [B, K, 2] (px) and mask [B, K] -> input [B, C, S, S], points, mask.

    flip [K]: the keypoint each becomes in a mirrored picture. Random numbers come from the generator (on the CPU), so
    that a batch is the same on every device and after a resume. A point that leaves the picture keeps its label.
    """
    x = to_float(pictures, channels=config.channels)
    mirrored = torch.rand(len(x), generator=generator) < config.flip
    matrix, offset = _random_transform(len(x), mirrored, config, generator)
    x = _warp(x, matrix.to(x.device), offset.to(x.device))
    points = _transform_points(points, matrix.to(x.device), offset.to(x.device), side=x.shape[-1])
    swap = mirrored.to(x.device)[:, None]
    points = torch.where(swap[..., None], points[:, flip], points)
    mask = torch.where(swap, mask[:, flip], mask)
    x = _light(standardise(_blur(x, config.blur, generator)), config, generator)
    return x.contiguous(memory_format=torch.channels_last), points, mask


def mirror(x: Tensor) -> Tensor:
    """The network's input, mirrored."""
    return x.flip(-1)


def mirror_points(points: Tensor, *, flip: Tensor, side: int) -> Tensor:
    """Points [B, K, 2] (px) of the mirrored picture as points of the picture, or the other way round."""
    swapped = points[:, flip]
    return torch.stack((side - 1 - swapped[..., 0], swapped[..., 1]), dim=-1)


def _random_transform(
    count: int, mirrored: Tensor, config: RunConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Matrices [B, 2, 2] and offsets [B, 2] in the normalised coordinates -1..1: where the picture's content goes."""
    draw = torch.rand(4, count, generator=generator) * 2 - 1
    angle = draw[0] * math.radians(config.rotation)
    size = 1 + draw[1] * config.scale
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    sign = 1.0 - 2.0 * mirrored.float()
    matrix = torch.stack((torch.stack((cos * sign, -sin), -1), torch.stack((sin * sign, cos), -1)), -2)
    return matrix, 2 * config.shift * draw[2:].T


def _warp(x: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Move the content of pictures [B, C, S, S]; what comes in from outside repeats the border."""
    back = torch.linalg.inv(matrix)  # a grid says where each output pixel comes from
    theta = torch.cat((back, -(back @ offset.unsqueeze(-1))), dim=-1)  # [B, 2, 3]
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _transform_points(points: Tensor, matrix: Tensor, offset: Tensor, *, side: int) -> Tensor:
    normal = (2 * points + 1) / side - 1
    moved = normal @ matrix.transpose(1, 2) + offset.unsqueeze(1)
    return ((moved + 1) * side - 1) / 2


def _blur(x: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """A Gaussian of sigma 1 pixel on this fraction of the pictures."""
    if fraction == 0:
        return x
    chosen = (torch.rand(len(x), generator=generator) < fraction).to(x.device)
    kernel = torch.exp(-0.5 * torch.arange(-3.0, 4.0, device=x.device).square())
    kernel = (kernel / kernel.sum()).view(1, 1, 1, 7).expand(x.shape[1], 1, 1, 7)
    rows = F.conv2d(F.pad(x, (3, 3, 3, 3), mode="replicate"), kernel, groups=x.shape[1])
    blurred = F.conv2d(rows, kernel.transpose(2, 3), groups=x.shape[1])
    return torch.where(chosen.view(-1, 1, 1, 1), blurred, x)


def _light(x: Tensor, config: RunConfig, generator: torch.Generator) -> Tensor:
    """Brightness and contrast of standardised pictures, each its own."""
    if config.brightness == 0 and config.contrast == 0:
        return x
    draw = (torch.rand(2, len(x), 1, 1, 1, generator=generator) * 2 - 1).to(x.device)
    return x * (1 + config.contrast * draw[0]) + config.brightness * draw[1]
