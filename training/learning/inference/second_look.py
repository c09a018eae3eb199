"""A second look at faces that lie on their side: the picture is turned until the face is upright, and predicted once more.

Most faces that a network learns from are upright, so it places their points best. The first look only has to tell how far the
face is turned; the second one's points are turned back. Faces that are upright cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from training.learning.models.light import LightPoints
from training.learning.models.points import PointNet
from training.learning.models.similarity import Similarity, cut, fit_similarity, to_normal, to_pixels

LIMIT = 10.0  # degrees; trained pictures are turned by as much, and a smaller turn is not worth another look

Look = Callable[[Tensor], tuple[Tensor, ...]]
"""Inputs [n, C, S, S] -> points [n, K, 2], px of the input, and what does not turn with the picture ([n, K])."""


def shape_of(model: nn.Module) -> Tensor | None:
    """How the model's keypoints lie in an upright face, [K, 2] px of the input: its mean shape; None where it has none.

    With the setting targets = points it is a single spot, of which `tilt` says that no face is turned.
    """
    return model.origin if isinstance(model, (LightPoints, PointNet)) else None


def look_twice(look: Look, x: Tensor, shape: Tensor | None) -> tuple[Tensor, ...]:
    """What `look` sees in x [B, C, S, S], of faces turned by more than LIMIT in the picture that is turned upright.

    shape [K, 2]: as of `shape_of`; with None there is one look.
    """
    first = look(x)
    if shape is None:
        return first
    turn = tilt(first[0], shape, side=x.shape[-1])
    far = turn[:, 0] < math.cos(math.radians(LIMIT))
    if torch.onnx.is_in_onnx_export():  # a graph cannot branch: every picture is seen twice
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
    """How far faces with points [B, K, 2] (px of this side) are turned against the shape: (cos, sin) of the angle, [B, 2].

    The least-squares similarity of all points decides (Umeyama, 1991), so that one wrong point hardly counts. (1, 0) where the shape or the
    points are a single spot.
    """
    source = to_normal(shape, side=side).unsqueeze(0)
    turn = fit_similarity(source, to_normal(points.float(), side=side), shape.new_ones(1, len(shape))).turn
    return turn / turn.square().sum(dim=1, keepdim=True).sqrt()


def _turned(look: Look, x: Tensor, turn: Tensor) -> tuple[Tensor, ...]:
    """What `look` sees in pictures turned about their middle, with the points turned back."""
    side = x.shape[-1]
    frame = Similarity(turn, turn.new_zeros(1, 2))  # from the upright picture to the one that is there
    points, *rest = look(cut(x, frame, side=side))
    return to_pixels(frame.apply(to_normal(points.float(), side=side)), side=side), *rest
