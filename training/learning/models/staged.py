"""What models with two stages have in common: a first network finds all points, a second one refines them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.storage.runs.settings.config import RunConfig


class Lesson(NamedTuple):
    """What the loss of a training step compares: pred, target [B, K, 2] in px of the input of the stage under way.

    mask [B, K]: as it came, and 0 where the stage cannot see a point that may not lie outside of the picture. A model with several heads is taught each: pred is [B, heads, K, 2] then.
    """

    pred: Tensor
    target: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Source:
    """What a training step draws from. mistakes: of `StagedNet.mistakes`, empty in stage 1. config: of the whole run."""

    mistakes: Tensor
    config: RunConfig
    generator: torch.Generator


class StagedNet(nn.Module):
    """Pictures [B, C, S, S] -> points [B, K, 2], px of the input. In stage 1 by `first` alone, in stage 2 by both.

    The stage is part of the saved weights: a model kept from stage 1 predicts with stage 1.
    """

    stage: Tensor
    first: nn.Module  # trained in stage 1, fixed in stage 2
    second: nn.Module  # trained in stage 2

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.register_buffer("stage", torch.ones((), dtype=torch.int64))

    @property
    def trained(self) -> nn.Module:
        """The network of the stage under way."""
        return self.first if self.number == 1 else self.second

    @property
    def number(self) -> int:
        """The stage under way: 1 or 2."""
        return int(self.stage)

    def begin(self, number: int) -> None:
        """Go to a stage."""
        self.stage.fill_(number)

    def train(self, mode: bool = True) -> StagedNet:
        """As of any module; a network that is fixed keeps out of it (dropout)."""
        super().train(mode)
        for part in (self.first, self.second):
            part.train(mode and part is self.trained)
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.stage_points(x)[-1]

    def stage_points(self, x: Tensor) -> list[Tensor]:
        """The points after each stage, [B, K, 2] px of the input; the last are those of `forward`."""
        points = self.first_points(x)
        return [points] if self.number == 1 else [points, self.refine(x, points)]

    def first_points(self, x: Tensor) -> Tensor:
        """Points of the first network, px of the input."""
        raise NotImplementedError

    def refine(self, x: Tensor, points: Tensor) -> Tensor:
        """The second network's points, given those of the first; px of the input."""
        raise NotImplementedError

    def settings(self, config: RunConfig) -> RunConfig:
        """The settings of the stage under way."""
        raise NotImplementedError

    def unit(self) -> float:
        """How many px of the stage's own input a px of the input is, on average."""
        raise NotImplementedError

    def mistakes(self, pred: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        """What the first network did wrong on pictures it never saw: the values that stage 2 draws from, [n, ...].

        pred, points: [N, K, 2], px of the input; mask: [N, K].
        """
        raise NotImplementedError

    def lesson(self, x: Tensor, points: Tensor, mask: Tensor, source: Source) -> Lesson:
        """One batch for the stage under way. points: px of the input; mask [B, K]: > 0 where there is a label."""
        raise NotImplementedError
