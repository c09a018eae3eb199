"""Optimisers, the learning rate over the budget, and the running average of the weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from training.learning.models.learned_offsets import OFFSET_RATE, SCHEME_DECAY, offsets_of
from training.storage.runs.settings.config import RunConfig

_AVERAGE_EVERY = 4  # steps: averaging every step costs a third of the optimiser's memory traffic


def make_optimizer(model: nn.Module, config: RunConfig) -> torch.optim.Optimizer:
    """The config's optimiser. AdamW decays weights only, not biases and normalisation; Adam and SGD decay all, as in
    the papers.

    Label offsets have their own groups: a larger rate ("rate", a multiple), and no decay of the common ones.
    """
    groups = [*_network_groups(model, config), *_offset_groups(model)]
    if config.optim.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=config.optim.learning_rate, momentum=config.optim.momentum, fused=_fused(model)
        )
    kind = torch.optim.Adam if config.optim.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=config.optim.learning_rate, fused=_fused(model))


def _network_groups(model: nn.Module, config: RunConfig) -> list[dict[str, Any]]:
    offsets = offsets_of(model)
    apart = set() if offsets is None else set(offsets.parameters())
    params = [p for p in model.parameters() if p not in apart]
    if config.optim.optimizer != "adamw":
        return [{"params": params, "weight_decay": config.optim.weight_decay}]
    weights, others = [p for p in params if p.ndim > 1], [p for p in params if p.ndim <= 1]
    return [{"params": weights, "weight_decay": config.optim.weight_decay}, {"params": others, "weight_decay": 0.0}]


def _offset_groups(model: nn.Module) -> list[dict[str, Any]]:
    offsets = offsets_of(model)
    if offsets is None:
        return []
    common = {"params": [offsets.common], "weight_decay": 0.0, "rate": OFFSET_RATE}
    if offsets.scheme is None:
        return [common]
    return [common, {"params": [offsets.scheme], "weight_decay": SCHEME_DECAY, "rate": OFFSET_RATE}]


def _fused(model: nn.Module) -> bool:
    return next(model.parameters()).device.type in ("cpu", "cuda")


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all groups, times the multiple that some have."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate", 1.0)


def rate_at(config: RunConfig, done: float) -> float:
    """The learning rate when `done` (0..1) of the budget is used: the warm-up, then the schedule."""
    if done < config.optim.warmup:
        return config.optim.learning_rate * (done / config.optim.warmup * 0.99 + 0.01)
    left = (min(done, 1.0) - config.optim.warmup) / max(1 - config.optim.warmup, 1e-9)
    if config.optim.schedule == "constant":
        return config.optim.learning_rate
    if config.optim.schedule == "geometric":
        return config.optim.learning_rate * max(config.optim.final_rate, 1e-6) ** left
    return config.optim.learning_rate * (
        config.optim.final_rate + (1 - config.optim.final_rate) * (1 + math.cos(math.pi * left)) / 2
    )


class WeightAverage:
    """An exponential running average of a model's weights (EMA), kept in a second model that is evaluated and saved."""

    def __init__(self, model: nn.Module, average: nn.Module, decay: float) -> None:
        self.model, self.average, self.decay = model, average, decay
        average.requires_grad_(False)
        average.eval()
        self._copy()

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Call after optimiser step `step` (from 1).

        Young averages decay faster, so that short runs are not held back.
        """
        if self.decay == 0:
            return
        if step % _AVERAGE_EVERY == 0:
            decay = min(self.decay**_AVERAGE_EVERY, (1 + step) / (40 + step))
            ours, theirs = self._floats()
            torch._foreach_lerp_(ours, theirs, 1 - decay)

    def ready(self) -> nn.Module:
        """The model to evaluate and save."""
        if self.decay == 0:
            self._copy()
        return self.average

    def _floats(self) -> tuple[list[Tensor], list[Tensor]]:
        pairs = zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True)
        chosen = [(a, m) for a, m in pairs if a.is_floating_point()]
        return [a for a, _ in chosen], [m for _, m in chosen]

    @torch.no_grad()
    def _copy(self) -> None:
        self.average.load_state_dict(self.model.state_dict())
