"""The geometry of an augmentation: one affine map per image, for its pixels and its points.

Coordinates are normalised: -1..1 from edge to edge of the image, whatever its size (`align_corners=False`).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from training.learning.augment.batch_random import uniform
from training.storage.runs.settings.config import RunConfig


def moves(config: RunConfig) -> bool:
    """Whether images are moved other than by mirroring; if not, no pixels need to be interpolated."""
    return any((config.augment.rotation, config.augment.scale, config.augment.shift, config.augment.box_corners))


def random_transform(mirrored: Tensor, config: RunConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Matrices [B, 2, 2] and offsets [B, 2]: content at u goes to matrix @ u + offset. mirrored: bool [B].

    The order: mirror, rotation and scale about the centre, shift, box corners.
    """
    draw = uniform(len(mirrored), 4, generator=generator) * 2 - 1
    angle = draw[:, 0] * math.radians(config.augment.rotation)
    size = 1 + draw[:, 1] * config.augment.scale
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    sign = 1.0 - 2.0 * mirrored.float()
    matrix = torch.stack((cos * sign, -sin, sin * sign, cos), dim=1).view(-1, 2, 2)
    offset = 2 * config.augment.shift * draw[:, 2:]
    if config.augment.box_corners == 0:
        return matrix, offset
    corners = (uniform(len(mirrored), 2, 2, generator=generator) * 2 - 1) * config.augment.box_corners
    return crop(matrix, offset, corners)


def crop(matrix: Tensor, offset: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """The map followed by a crop to the moved box, stretched to the whole image again.

    corners [B, 2, 2]: how far the upper left and the lower right corner move (x, y), in sides of the image. As in the
    Wing loss paper (section 6) these two move independently: position, size and aspect ratio of the box change, it
    stays upright, and the map is exactly affine. (The other two corners follow; four free corners would need a
    perspective map.)
    """
    upper, lower = corners[:, 0], corners[:, 1]
    centre, half = upper + lower, 1 + lower - upper  # a side is 2 long
    return matrix / half.unsqueeze(-1), (offset - centre) / half


def warp(x: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Move the content of images [B, C, S, S]; the border is repeated where content enters from outside."""
    back = inverse(matrix)  # a grid maps output pixels to their source
    side = x.shape[-1]
    steps = (2 * torch.arange(side, device=x.device) + 1) / side - 1  # [S]
    columns = back[:, :, 0:1] * steps  # [B, 2, S]
    rows = back[:, :, 1:2] * steps - back @ offset.unsqueeze(-1)
    # F.affine_grid's numbers as a sum of two vectors, several times faster than its matrix product
    grid = columns.unsqueeze(2) + rows.unsqueeze(3)  # [B, 2, S, S]
    return F.grid_sample(x, grid.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def inverse(matrix: Tensor) -> Tensor:
    """The inverses of matrices [B, 2, 2] by the closed formula, in half the time of torch.linalg.inv, which
    factorises."""
    a, b, c, d = matrix.flatten(1).unbind(1)
    return torch.stack((d, -b, -c, a), dim=1).div_((a * d - b * c).unsqueeze(1)).view(-1, 2, 2)


def transform_points(points: Tensor, matrix: Tensor, offset: Tensor, *, side: int) -> Tensor:
    """Map points [B, K, 2] (px)."""
    normal = (2 * points + 1) / side - 1
    moved = normal @ matrix.transpose(1, 2) + offset.unsqueeze(1)
    return ((moved + 1) * side - 1) / 2


def inside(points: Tensor, *, side: int) -> Tensor:
    """bool [B, K]: points [B, K, 2] (px) that lie in the image, up to the outer edge of its border pixels."""
    return ((points >= -0.5) & (points <= side - 0.5)).all(dim=-1)
