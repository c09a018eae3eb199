"""Weights keypoints in the loss by a running average of their errors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_KEEP = 0.98  # of the running error per step: averages over about fifty steps
_SMALLEST, _LARGEST = 0.2, 5.0  # weights, so that no keypoint is ignored or dominates


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
        """Update the errors with a batch: points [B, K, 2], px of the input, mask bool [B, K]; total sums over processes."""
        distance = torch.where(mask, torch.linalg.vector_norm(pred - target, dim=-1), 0)
        distances, count = total(torch.stack((distance.sum(dim=0), mask.sum(dim=0))))
        error = distances / count.clamp(min=1)
        updated = torch.where(self.errors > 0, _KEEP * self.errors + (1 - _KEEP) * error, error)
        self.errors = torch.where(count > 0, updated, self.errors)
