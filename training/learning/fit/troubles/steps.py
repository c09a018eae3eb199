"""Measures of the training steps: the gradients' size, and how far a step moves the weights."""

from __future__ import annotations

import math
import statistics

import torch
from torch import Tensor, nn

_EVERY = 64  # steps between samples; at first at 0, 1, 2, 4, 8...
_ROWS = 8  # of each weight, evenly spread, whose movement is measured
_RECENT = 8  # samples
_EXPLODED = 100.0  # times the largest gradient of the first samples
_FIRST = 3  # samples
LOW, HIGH = 1e-5, 0.1  # usual range of the weights' relative movement per step


class Pulse:
    """Samples a step now and then, at well under 1 % of its cost."""

    def __init__(self) -> None:
        self.norms: list[float] = []  # of the whole gradient
        self.ratios: list[float] = []  # |step| / |weights|, the median over the layers before the output
        self.steps = 0  # done
        self._before: list[tuple[Tensor, Tensor]] = []  # views of weights, and their former values

    def look(self, model: nn.Module, step: int) -> None:
        """Call between the backward pass and the optimiser's step. step: how many steps of the stage are done."""
        self.steps = step
        if self._before:
            self.ratios.append(_movement(self._before))
            self._before = []
        if step % _EVERY == 0 or (step < _EVERY and step & (step - 1) == 0):
            grads = [p.grad for p in model.parameters() if p.grad is not None]
            self.norms.append(float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))))
            self._before = [(view, view.clone()) for view in _views(model)]

    def exploded(self) -> float:
        """How many times larger the last gradient is than at first if that is too much (inf: not finite), else 0."""
        if not self.norms:
            return 0.0
        if not math.isfinite(self.norms[-1]):
            return math.inf
        first = max(self.norms[:_FIRST])
        times = self.norms[-1] / first if len(self.norms) > _FIRST and first > 0 else 0.0
        return times if times > _EXPLODED else 0.0

    def largest_ratio(self) -> float:
        """The largest movement seen; NaN before enough samples."""
        return max(self.ratios) if len(self.ratios) > _FIRST else math.nan

    def usual_ratio(self) -> float:
        """The median of the recent movements; NaN before enough samples."""
        return statistics.median(self.ratios[-_RECENT:]) if len(self.ratios) > _FIRST else math.nan


def _views(model: nn.Module) -> list[Tensor]:
    """Some rows of each trained weight except the output's, which starts near zero, so that its steps look large."""
    weights = [
        p.detach()
        for name, p in model.named_parameters()
        if p.grad is not None and p.ndim > 1 and "output" not in name.split(".")
    ]
    return [w[:: max(1, len(w) // _ROWS)] for w in weights]


def _movement(before: list[tuple[Tensor, Tensor]]) -> float:
    moved = torch.stack([torch.linalg.vector_norm(now - then) for now, then in before])
    size = torch.stack([torch.linalg.vector_norm(then) for _, then in before])
    return float((moved / size.clamp(min=1e-12)).median())
