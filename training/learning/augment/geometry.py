"""Where the content of a picture goes in an augmentation: one affine map a picture, for its pixels and its points.

Coordinates are normalised: -1..1 from edge to edge of the picture, whatever its size (`align_corners=False`).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from training.learning.augment.batch_random import uniform
from training.storage.runs.settings.config import RunConfig


def moves(config: RunConfig) -> bool:
    """Whether pictures are moved otherwise than mirrored: if not, no light has to be taken from between pixels."""
    return any((config.rotation, config.scale, config.shift, config.box_corners))


def random_transform(mirrored: Tensor, config: RunConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Matrices [B, 2, 2] and offsets [B, 2]: content at u goes to matrix @ u + offset. mirrored: bool [B].

    In this order: mirror, rotation and scale about the centre, shift, box corners.
    """
    draw = uniform(len(mirrored), 4, generator=generator) * 2 - 1
    angle = draw[:, 0] * math.radians(config.rotation)
    size = 1 + draw[:, 1] * config.scale
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    sign = 1.0 - 2.0 * mirrored.float()
    matrix = torch.stack((cos * sign, -sin, sin * sign, cos), dim=1).view(-1, 2, 2)
    offset = 2 * config.shift * draw[:, 2:]
    if config.box_corners == 0:
        return matrix, offset
    corners = (uniform(len(mirrored), 2, 2, generator=generator) * 2 - 1) * config.box_corners
    return crop(matrix, offset, corners)


def crop(matrix: Tensor, offset: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """The map followed by a crop to the moved box, stretched to the whole picture again.

    corners [B, 2, 2]: how far the upper left and the lower right corner move (x, y), in sides of the picture. As in the
    Wing loss paper (section 6) these two move, each on its own: place, size and proportions of the box change, it stays
    upright, and the map is exactly affine. (The other two corners follow; four free corners would need a perspective.)
    """
    upper, lower = corners[:, 0], corners[:, 1]
    centre, half = upper + lower, 1 + lower - upper  # a side is 2 long
    return matrix / half.unsqueeze(-1), (offset - centre) / half


def warp(x: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Move the content of pictures [B, C, S, S]; what comes in from outside repeats the border."""
    back = inverse(matrix)  # a grid says where each output pixel comes from
    side = x.shape[-1]
    steps = (2 * torch.arange(side, device=x.device) + 1) / side - 1  # [S]
    columns = back[:, :, 0:1] * steps  # [B, 2, S]
    rows = back[:, :, 1:2] * steps - back @ offset.unsqueeze(-1)
    # F.affine_grid's numbers as a sum of two vectors, several times faster than its product of matrices
    grid = columns.unsqueeze(2) + rows.unsqueeze(3)  # [B, 2, S, S]
    return F.grid_sample(x, grid.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def inverse(matrix: Tensor) -> Tensor:
    """Of matrices [B, 2, 2]: by its formula, in half of the time of torch.linalg.inv, which factorises each."""
    a, b, c, d = matrix.flatten(1).unbind(1)
    return torch.stack((d, -b, -c, a), dim=1).div_((a * d - b * c).unsqueeze(1)).view(-1, 2, 2)


def transform_points(points: Tensor, matrix: Tensor, offset: Tensor, *, side: int) -> Tensor:
    """Points [B, K, 2] (px) where the map takes them."""
    normal = (2 * points + 1) / side - 1
    moved = normal @ matrix.transpose(1, 2) + offset.unsqueeze(1)
    return ((moved + 1) * side - 1) / 2


def inside(points: Tensor, *, side: int) -> Tensor:
    """bool [B, K]: points [B, K, 2] (px) that lie on the picture, up to the edge of its outermost pixels."""
    return ((points >= -0.5) & (points <= side - 0.5)).all(dim=-1)
