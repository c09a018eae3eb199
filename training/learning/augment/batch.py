"""Augmentation: turns a batch of uint8 images into the network's input, with one affine warp and whole-batch
operations.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.learning.augment.batch_random import uniform
from training.learning.augment.geometry import inside, moves, random_transform, transform_points, warp
from training.learning.augment.photometric import blur, erase, gamma, light, noise, normalise
from training.storage.runs.settings.config import RunConfig


def to_float(images: Tensor, *, channels: int) -> Tensor:
    """uint8 [B, S, S] or [B, S, S, 3] -> float32 [B, channels, S, S] in 0..255; converts between gray and colour."""
    x = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    x = x.float()
    if x.shape[1] == channels:
        return x
    if channels == 3:
        return x.expand(-1, 3, -1, -1)
    weights = torch.tensor((0.299, 0.587, 0.114), device=x.device).view(1, 3, 1, 1)
    return (x * weights).sum(dim=1, keepdim=True)


def prepare(images: Tensor, *, channels: int, pixels: str = "picture") -> Tensor:
    """The network's input without augmentation: [B, C, S, S], channels last. pixels: as the setting of that name."""
    return normalise(to_float(images, channels=channels), pixels)


def augment(
    images: Tensor, points: Tensor, mask: Tensor, *, config: RunConfig, flip: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Images uint8 [B, S, S(, 3)] with points [B, K, 2] (px) and mask [B, K] -> input [B, C, S, S], points, mask.

    flip [K]: the keypoint that each becomes in a mirrored image. mask: bool, or weights with 0 where a point is
    missing. Random numbers come from the generator on the CPU, so that a batch is the same on every device and after
    resuming. A point that leaves the image keeps its label, or counts as missing with the setting outside = mask.
    """
    x = to_float(images, channels=config.network.channels)
    mirrored = uniform(len(x), generator=generator) < config.augment.flip
    matrix, offset = (t.to(x.device) for t in random_transform(mirrored, config, generator))
    swap = mirrored.to(x.device)[:, None]
    if moves(config):
        x = warp(x, matrix, offset)
    elif config.augment.flip > 0:
        x = torch.where(swap[..., None, None], mirror(x), x)
    points = transform_points(points, matrix, offset, side=x.shape[-1])
    points = torch.where(swap[..., None], points[:, flip], points)
    mask = torch.where(swap, mask[:, flip], mask)
    if config.augment.outside == "mask":
        mask = mask * inside(points, side=x.shape[-1])
    x = gamma(blur(x, config.augment.blur, generator), config.augment.gamma, generator)
    x = erase(noise(light(x, config, generator), config, generator), config.augment.erasing, generator)
    return x.contiguous(memory_format=torch.channels_last), points, mask


def mirror(x: Tensor) -> Tensor:
    return x.flip(-1)


def mirror_points(points: Tensor, *, flip: Tensor, side: int) -> Tensor:
    """Points [B, K, 2] (px) of the mirrored image as points of the image, and vice versa."""
    swapped = points[:, flip]
    return torch.stack((side - 1 - swapped[..., 0], swapped[..., 1]), dim=-1)
