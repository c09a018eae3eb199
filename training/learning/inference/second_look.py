"""A second look at rotated faces: the image is rotated until the face is upright, and predicted again.

Networks learn mostly from upright faces, so they are most accurate on them. The first look only has to find the
rotation; the second look's points are rotated back. Upright faces cost nothing extra.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from training.learning.models.light import LightPoints
from training.learning.models.points import PointNet
from training.learning.models.staged.similarity import Similarity, cut, fit_similarity, to_normal, to_pixels

LIMIT = 10.0  # degrees; augmentation rotates this far, and a smaller rotation is not worth another look

Look = Callable[[Tensor], tuple[Tensor, ...]]
"""Inputs [n, C, S, S] -> points [n, K, 2], px of the input, and values that do not rotate with the image ([n, K])."""


def shape_of(model: nn.Module) -> Tensor | None:
    """The layout of the model's keypoints in an upright face, [K, 2] px of the input: its mean shape, if it has one.

    With the setting targets = points all are at one spot, for which `tilt` finds no rotation.
    """
    return model.origin if isinstance(model, (LightPoints, PointNet)) else None


def look_twice(look: Look, x: Tensor, shape: Tensor | None) -> tuple[Tensor, ...]:
    """Apply `look` to x [B, C, S, S], and again to faces rotated by more than LIMIT, turned upright.

    shape [K, 2]: from `shape_of`; None: look only once.
    """
    first = look(x)
    if shape is None:
        return first
    turn = tilt(first[0], shape, side=x.shape[-1])
    far = turn[:, 0] < math.cos(math.radians(LIMIT))
    if torch.onnx.is_in_onnx_export():  # a graph cannot branch: every image is predicted twice
        again = _turned(look, x, turn)
        return tuple(
            torch.where(far.view(-1, *[1] * (a.ndim - 1)), b.to(a.dtype), a) for a, b in zip(first, again, strict=True)
        )
    rows = far.nonzero().squeeze(1)
    if not len(rows):
        return first
    again = _turned(look, x[rows], turn[rows])
    return tuple(a.index_copy(0, rows, b.to(a.dtype)) for a, b in zip(first, again, strict=True))


def tilt(points: Tensor, shape: Tensor, *, side: int) -> Tensor:
    """The rotation of faces with points [B, K, 2] (px of this side) against the shape: (cos, sin) of the angle, [B, 2].

    By the least-squares similarity of all points (Umeyama, 1991), so that one wrong point hardly matters. (1, 0) where
    shape or points coincide in one spot.
    """
    source = to_normal(shape, side=side).unsqueeze(0)
    turn = fit_similarity(source, to_normal(points.float(), side=side), shape.new_ones(1, len(shape))).turn
    return turn / turn.square().sum(dim=1, keepdim=True).sqrt()


def _turned(look: Look, x: Tensor, turn: Tensor) -> tuple[Tensor, ...]:
    """Apply `look` to images rotated about their middle, and rotate the points back."""
    side = x.shape[-1]
    frame = Similarity(turn, turn.new_zeros(1, 2))  # from the upright image to the given one
    points, *rest = look(cut(x, frame, side=side))
    return to_pixels(frame.apply(to_normal(points.float(), side=side)), side=side), *rest
