"""Predicts an image from several views (plain, mirrored, shifted, upright): their mean is the points, their spread the
doubt.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.faces.measures.calibration import Views
from training.learning.augment.batch import mirror, mirror_points
from training.learning.inference.second_look import look_twice, shape_of
from training.learning.models.learned_offsets import labelled
from training.learning.models.light import LightPoints, heads_of


def averaged_points(
    model: nn.Module, x: Tensor, *, flip: Tensor, flip_average: bool, upright: bool = False, scheme: int | Tensor = 0
) -> Tensor:
    """Input [B, C, S, S] -> points [B, K, 2], px of the input: the mean of the plain and the mirrored view.

    upright: look again at rotated faces, turned upright (`look_twice`). scheme: one number, or int64 [B]; points are
    shifted like labels of that marking scheme, where the model has learned label offsets.
    """

    def look(seen: Tensor) -> tuple[Tensor]:
        plain = model(seen)
        if flip_average:
            plain = (plain + mirror_points(model(mirror(seen)), flip=flip, side=seen.shape[-1])) / 2
        return (plain,)

    return labelled(model, look_twice(look, x, shape_of(model) if upright else None)[0], scheme)


def views_of(model: nn.Module) -> Views:
    """The views to calibrate a model's confidence with: its own heads, if it has two."""
    return "heads" if isinstance(model, LightPoints) else "moved"


def points_and_disagreement(
    model: nn.Module,
    x: Tensor,
    *,
    flip: Tensor,
    flip_average: bool,
    upright: bool = False,
    scheme: int | Tensor = 0,
    views: Views = "moved",
) -> tuple[Tensor, Tensor]:
    """As `averaged_points`, with the views' disagreement [B, K]: their deviation from their mean, as a fraction of the
    side.

    views: "moved" - plain, mirrored, moved right and up by 3 % of the side, moved left and down, all in one batch.
    "heads" - the heads of the plain view, and of the mirrored one with flip_average, which needs no extra pass.
    """
    see = _see_heads if views == "heads" else _see_moved

    def look(seen: Tensor) -> tuple[Tensor, Tensor]:
        return see(model, seen, flip=flip, mirrored=flip_average)

    points, deviation = look_twice(look, x, shape_of(model) if upright else None)
    return labelled(model, points, scheme), deviation / x.shape[-1]


def _see_heads(model: nn.Module, x: Tensor, *, flip: Tensor, mirrored: bool) -> tuple[Tensor, Tensor]:
    """The heads' mean [B, K, 2] and their deviation [B, K], px."""
    seen = _heads(model, x, flip=flip, mirrored=mirrored)
    return seen.mean(dim=1), _deviation(seen)


def _see_moved(model: nn.Module, x: Tensor, *, flip: Tensor, mirrored: bool) -> tuple[Tensor, Tensor]:
    """The points of the plain view (and the mirrored one) [B, K, 2] and the deviation of four views [B, K], px."""
    side = x.shape[-1]
    step = max(1, round(0.03 * side))
    batch = torch.cat((x, mirror(x), _moved(x, step, -step), _moved(x, -step, step)))
    plain, other, right, left = model(batch).view(4, len(x), -1, 2)
    offset = torch.tensor((step, -step), dtype=plain.dtype, device=plain.device)
    seen = torch.stack((plain, mirror_points(other, flip=flip, side=side), right - offset, left + offset))
    deviation = (seen - seen.mean(dim=0)).square().sum(dim=-1).mean(dim=0).sqrt()  # [B, K]
    return seen[:2].mean(dim=0) if mirrored else plain, deviation


def points_and_spread(model: nn.Module, x: Tensor, *, flip: Tensor, scheme: int | Tensor = 0) -> tuple[Tensor, Tensor]:
    """[B, K, 2]: the mean of the model's heads on the plain and the mirrored view, and their deviation [B, K]; px of
    the input.
    """
    seen = _heads(model, x, flip=flip, mirrored=True)
    return labelled(model, seen.mean(dim=1), scheme), _deviation(seen)


def _heads(model: nn.Module, x: Tensor, *, flip: Tensor, mirrored: bool) -> Tensor:
    """The heads' points [B, heads, K, 2] on the plain view, then on the mirrored one, mapped back to the plain view."""
    if not mirrored:
        return heads_of(model, x)
    plain, other = heads_of(model, torch.cat((x, mirror(x)))).chunk(2)
    back = mirror_points(other.flatten(0, 1), flip=flip, side=x.shape[-1]).view_as(plain)
    return torch.cat((plain, back), dim=1)


def _deviation(seen: Tensor) -> Tensor:
    """Points [B, views, K, 2] -> their deviation from their mean, [B, K]."""
    return seen.std(dim=1).square().sum(dim=-1).sqrt()


def _moved(x: Tensor, right: int, down: int) -> Tensor:
    """The content moved by whole pixels, with the border repeated."""
    pad = max(abs(right), abs(down))
    y = F.pad(x, (pad, pad, pad, pad), mode="replicate")
    height, width = x.shape[-2:]
    return y[..., pad - down : pad - down + height, pad - right : pad - right + width]
