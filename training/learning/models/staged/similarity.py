"""Batched similarity transforms of the plane (rotation, scale, shift), and crops of images along them.

All coordinates are normalised: -1..1 over a square image of side S, (2x + 1) / S - 1 for x px (align_corners=False).
Written without matrix products, which mixed precision would round.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_SIZES = (0.2, 5.0)  # limits of fitted scales: coinciding points must not give a crop of one pixel


@dataclass(frozen=True)
class Similarity:
    """p -> turn * p + shift as complex numbers. turn, shift: [B, 2]; turn is scale * (cos, sin) of the angle."""

    turn: Tensor
    shift: Tensor

    def apply(self, points: Tensor) -> Tensor:
        """Transform points [B, n, 2] (or [1, n, 2])."""
        return multiply(points, self.turn.unsqueeze(1)) + self.shift.unsqueeze(1)

    def inverse(self) -> Similarity:
        back = _reciprocal(self.turn)
        return Similarity(back, -multiply(self.shift, back))

    def after(self, first: Similarity) -> Similarity:
        """The composition: `first`, then this one."""
        return Similarity(multiply(self.turn, first.turn), multiply(self.turn, first.shift) + self.shift)


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """Product of complex numbers [..., 2]."""
    (ax, ay), (bx, by) = a.unbind(-1), b.unbind(-1)
    return torch.stack((ax * bx - ay * by, ax * by + ay * bx), dim=-1)


def fit_similarity(source: Tensor, target: Tensor, weight: Tensor) -> Similarity:
    """The similarity that maps source [B or 1, K, 2] closest to target [B, K, 2]; least squares with weight [B or 1,
    K].

    Umeyama, Least-squares estimation of transformation parameters between two point patterns, 1991; in the plane its
    solution is a quotient of complex numbers. With fewer than two weighted points scale and angle stay unchanged.
    """
    weight = weight.to(target.dtype).unsqueeze(-1)
    total = weight.sum(dim=1, keepdim=True).clamp(min=1e-12)
    target = torch.where(weight > 0, target, 0.0)  # NaN where there is no label
    middle, goal = (((p * weight).sum(dim=1, keepdim=True) / total) for p in (source, target))
    a, b = source - middle, target - goal
    conjugate = a * a.new_tensor((1.0, -1.0))
    spread = (a.square() * weight).sum(dim=(1, 2)).unsqueeze(-1)  # [B, 1]
    turn = (multiply(conjugate, b) * weight).sum(dim=1) / spread.clamp(min=1e-12)
    turn = _limited(torch.where(spread > 1e-8, turn, turn.new_tensor((1.0, 0.0))))
    return Similarity(turn, (goal - multiply(middle, turn.unsqueeze(1))).squeeze(1))


def cut(x: Tensor, frame: Similarity, *, side: int) -> Tensor:
    """Squares [B, C, side, side] from images [B, C, S, S]; frame: from the square's coordinates to the image's.

    Outside the image its border is repeated.
    """
    grid = frame.apply(pixel_centres(side, like=x)).unflatten(1, (side, side))
    square = F.grid_sample(x.float(), grid, padding_mode="border", align_corners=False)
    return square.contiguous(memory_format=torch.channels_last)


def pixel_centres(side: int, *, like: Tensor) -> Tensor:
    """Normalised coordinates [1, side * side, 2] of an image's pixels, row by row."""
    steps = (2 * torch.arange(side, device=like.device, dtype=torch.float32) + 1) / side - 1
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack((x, y), dim=-1).view(1, -1, 2)


def to_normal(points: Tensor, *, side: int) -> Tensor:
    """px of an image of this side -> normalised."""
    return (2 * points + 1) / side - 1


def to_pixels(points: Tensor, *, side: int) -> Tensor:
    """Normalised -> px of an image of this side."""
    return ((points + 1) * side - 1) / 2


def _reciprocal(turn: Tensor) -> Tensor:
    return turn * turn.new_tensor((1.0, -1.0)) / turn.square().sum(dim=-1, keepdim=True)


def _limited(turn: Tensor) -> Tensor:
    """The same angle with a scale within _SIZES; a scale of 0 has no angle and becomes upright."""
    size = turn.square().sum(dim=-1, keepdim=True).sqrt()
    upright = size.clamp(min=_SIZES[0]) * size.new_tensor((1.0, 0.0))
    return torch.where(size > 1e-6, turn * (size.clamp(*_SIZES) / size.clamp(min=1e-6)), upright)
