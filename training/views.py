"""Predicting one picture from several views: plain, mirrored, shifted. Their mean is better, their spread tells how sure."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.augment import mirror, mirror_points
from training.models.light import heads_of
from training.models.offsets import labelled


def averaged_points(
    model: nn.Module, x: Tensor, *, flip: Tensor, flip_average: bool, scheme: int | Tensor = 0
) -> Tensor:
    """Input [B, C, S, S] -> points [B, K, 2], px of the input: the mean of the plain and the mirrored view.

    They stand as labels of the marking scheme would (one number, or int64 [B]), where the model has learnt label offsets.
    """
    plain = model(x)
    if flip_average:
        plain = (plain + mirror_points(model(mirror(x)), flip=flip, side=x.shape[-1])) / 2
    return labelled(model, plain, scheme)


def points_and_disagreement(
    model: nn.Module, x: Tensor, *, flip: Tensor, flip_average: bool, scheme: int | Tensor = 0
) -> tuple[Tensor, Tensor]:
    """As `averaged_points`, with the views' disagreement [B, K]: their deviation from their mean, a fraction of the side.

    Views: plain, mirrored, moved right and up by 3 % of the side, moved left and down. All in one batch.
    """
    side, count = x.shape[-1], len(x)
    step = max(1, round(0.03 * side))
    views = torch.cat((x, mirror(x), _moved(x, step, -step), _moved(x, -step, step)))
    plain, mirrored, right, left = model(views).view(4, count, -1, 2)
    offset = torch.tensor((step, -step), dtype=plain.dtype, device=plain.device)
    seen = torch.stack((plain, mirror_points(mirrored, flip=flip, side=side), right - offset, left + offset))
    deviation = (seen - seen.mean(dim=0)).square().sum(dim=-1).mean(dim=0).sqrt()  # [B, K]
    points = seen[:2].mean(dim=0) if flip_average else plain
    return labelled(model, points, scheme), deviation / side


def points_and_spread(model: nn.Module, x: Tensor, *, flip: Tensor, scheme: int | Tensor = 0) -> tuple[Tensor, Tensor]:
    """The mean of the model's heads on the plain and the mirrored view, [B, K, 2], and their deviation [B, K]; px of the input."""
    plain, mirrored = heads_of(model, x), heads_of(model, mirror(x))  # [B, heads, K, 2]
    back = mirror_points(mirrored.flatten(0, 1), flip=flip, side=x.shape[-1]).view_as(plain)
    seen = torch.cat((plain, back), dim=1)
    deviation = seen.std(dim=1).square().sum(dim=-1).sqrt()
    return labelled(model, seen.mean(dim=1), scheme), deviation


def _moved(x: Tensor, right: int, down: int) -> Tensor:
    """The content moved by whole pixels; the border is repeated."""
    pad = max(abs(right), abs(down))
    y = F.pad(x, (pad, pad, pad, pad), mode="replicate")
    height, width = x.shape[-2:]
    return y[..., pad - down : pad - down + height, pad - right : pad - right + width]
