"""Losses over labelled keypoints: pure functions of predicted points, target points and mask; weights of hard points.

All losses take pred and target [B, K, 2] in pixels of the network's input and mask [B, K] bool, and return a scalar. A
missing point has no error and no gradient whatever target holds there, NaN included. weight [B, K], >= 0, multiplies
the errors of each point; a weight of 0 is equivalent to a mask of False.

reduction is what the sum of (weighted) errors is divided by: "mean": the weights of labelled coordinates, or their
number without weights: sum(w * l) / sum(w) (ours: the step does not shrink where labels are missing); "masked-eq4": the
number of all coordinates B*K*2 (masked-loss paper 2017, Eq. 4 with the mask of Eq. 5); "wing-eq3": the number of images
B (Wing loss paper 2018, Eq. 3: the sum over an image's coordinates).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

_KEEP = 0.98  # of HardPoints' running error per step: averages over about fifty steps
_SMALLEST, _LARGEST = 0.2, 5.0  # weights of HardPoints, so that no keypoint is ignored or dominates


class Loss(Protocol):
    """A loss of this module with its parameters bound."""

    def __call__(self, pred: Tensor, target: Tensor, mask: Tensor, weight: Tensor | None = None, /) -> Tensor: ...


def mse(pred: Tensor, target: Tensor, mask: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Masked squared error x^2 (masked-loss paper, Eq. 3 to 5)."""
    return _reduce(lambda x: x.square(), pred, target, mask, reduction, weight)


def l2(pred: Tensor, target: Tensor, mask: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Masked x^2 / 2 (Wing loss paper, Eq. 4)."""
    return _reduce(lambda x: x.square() / 2, pred, target, mask, reduction, weight)


def l1(pred: Tensor, target: Tensor, mask: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Masked |x| (Wing loss paper, Eq. 4)."""
    return _reduce(torch.abs, pred, target, mask, reduction, weight)


def smooth_l1(
    pred: Tensor, target: Tensor, mask: Tensor, *, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """Masked x^2 / 2 where |x| < 1 pixel, else |x| - 1/2 (Wing loss paper, Eq. 4)."""
    return _reduce(_huber, pred, target, mask, reduction, weight)


def wing(
    pred: Tensor,
    target: Tensor,
    mask: Tensor,
    *,
    w: float = 10.0,
    epsilon: float = 2.0,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Masked Wing loss (Wing loss paper, Eq. 5), w and epsilon in pixels of the input.

    w ln(1 + |x| / epsilon) where |x| < w, else |x| - C, with C = w - w ln(1 + w / epsilon): continuous at |x| = w.
    """
    constant = w - w * math.log1p(w / epsilon)

    def error(x: Tensor) -> Tensor:
        size = x.abs()
        return torch.where(size < w, w * torch.log1p(size / epsilon), size - constant)

    return _reduce(error, pred, target, mask, reduction, weight)


def make_loss(name: str, *, w: float = 10.0, epsilon: float = 2.0, reduction: str = "mean") -> Loss:
    """The loss of this name with its parameters bound."""
    options: dict[str, Any] = {"w": w, "epsilon": epsilon} if name == "wing" else {}
    chosen = partial(LOSSES[name], reduction=reduction, **options)
    return lambda pred, target, mask, weight=None: chosen(pred, target, mask, weight=weight)


def divisor(pred: Tensor, mask: Tensor, weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
    """What the sum of a batch's errors is divided by; 0 without labels. Processes that share a batch add theirs."""
    return _divisor(_weights(pred, mask, weight), reduction)


LOSSES: dict[str, Callable[..., Tensor]] = {"mse": mse, "l2": l2, "l1": l1, "smooth_l1": smooth_l1, "wing": wing}


def _huber(x: Tensor) -> Tensor:
    size = x.abs()
    return torch.where(size < 1, x.square() / 2, size - 0.5)


def _reduce(
    error: Callable[[Tensor], Tensor],
    pred: Tensor,
    target: Tensor,
    mask: Tensor,
    reduction: str,
    weight: Tensor | None,
) -> Tensor:
    """The weighted sum of error(pred - target), divided according to reduction; 0 with zero gradient without labels."""
    weights = _weights(pred, mask, weight)
    # Before any arithmetic, since 0 * NaN is NaN, in the gradient too.
    difference = torch.where(weights > 0, pred - target, torch.zeros_like(pred))
    over = _divisor(weights, reduction)
    return (error(difference) * weights).sum() / torch.where(over > 0, over, 1)


def _weights(pred: Tensor, mask: Tensor, weight: Tensor | None) -> Tensor:
    return (mask.to(pred.dtype) if weight is None else mask * weight.to(pred.dtype)).unsqueeze(-1)  # [B, K, 1]


def _divisor(weights: Tensor, reduction: str) -> Tensor:
    """weights: [B, K, 1]."""
    if reduction == "mean":
        return 2 * weights.sum()
    if reduction == "masked-eq4":
        return weights.new_tensor(2 * weights.numel())
    if reduction == "wing-eq3":
        return weights.new_tensor(len(weights))
    raise ValueError(f"unknown reduction {reduction!r}")


class HardPoints:
    """Weights of K keypoints, (running error / mean running error) ** strength, as the focal loss does for classes.

    Per keypoint rather than per point, since a single large error is as often a wrong label as a hard face. All 1 until
    there are errors.
    """

    def __init__(self, keypoints: int, strength: float, device: torch.device) -> None:
        self.strength = strength
        self.errors = torch.zeros(keypoints, device=device)  # px of the input; 0: not seen yet

    @torch.no_grad()
    def weights(self) -> Tensor:
        """[K]: factors for the loss of each keypoint."""
        seen = self.errors > 0
        mean = self.errors.sum() / seen.sum().clamp(min=1)
        relative = torch.where(seen, self.errors / mean, 1)  # before any error the mean is 0, and unused
        return relative.pow(self.strength).clamp(_SMALLEST, _LARGEST)

    @torch.no_grad()
    def update(
        self, pred: Tensor, target: Tensor, mask: Tensor, total: Callable[[Tensor], Tensor] = lambda own: own
    ) -> None:
        """Update the errors with a batch: points [B, K, 2], px of the input, mask [B, K]; total sums over processes."""
        distance = torch.where(mask, torch.linalg.vector_norm(pred - target, dim=-1), 0)
        distances, count = total(torch.stack((distance.sum(dim=0), mask.sum(dim=0))))
        error = distances / count.clamp(min=1)
        updated = torch.where(self.errors > 0, _KEEP * self.errors + (1 - _KEEP) * error, error)
        self.errors = torch.where(count > 0, updated, self.errors)
