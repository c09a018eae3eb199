"""The base of two-stage models: a first network predicts all points, a second one refines them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.storage.runs.settings.config import RunConfig


class Lesson(NamedTuple):
    """What the loss of a training step compares: pred, target [B, K, 2] in px of the current stage's input.

    mask [B, K]: as given, but 0 for points that the stage cannot see because they are outside its image. A model with
    several heads trains each: pred is then [B, heads, K, 2].
    """

    pred: Tensor
    target: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Source:
    """What a training step draws from.

    mistakes: from `StagedNet.mistakes`, empty in stage 1. config: of the whole run.
    """

    mistakes: Tensor
    config: RunConfig
    generator: torch.Generator


class StagedNet(nn.Module):
    """Images [B, C, S, S] -> points [B, K, 2], px of the input. In stage 1 by `first` alone, in stage 2 by both.

    The stage is part of the saved weights: a model saved in stage 1 predicts with stage 1.
    """

    stage: Tensor
    first: nn.Module  # trained in stage 1, frozen in stage 2
    second: nn.Module  # trained in stage 2

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.register_buffer("stage", torch.ones((), dtype=torch.int64))

    @property
    def trained(self) -> nn.Module:
        """The network of the current stage."""
        return self.first if self.number == 1 else self.second

    @property
    def number(self) -> int:
        """The current stage: 1 or 2."""
        return int(self.stage)

    def begin(self, number: int) -> None:
        self.stage.fill_(number)

    def train(self, mode: bool = True) -> StagedNet:
        """As of any module, except that a frozen network stays in evaluation mode (dropout)."""
        super().train(mode)
        for part in (self.first, self.second):
            part.train(mode and part is self.trained)
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.stage_points(x)[-1]

    def stage_points(self, x: Tensor) -> list[Tensor]:
        """The points after each stage, [B, K, 2], px of the input; the last are those of `forward`."""
        points = self.first_points(x)
        return [points] if self.number == 1 else [points, self.refine(x, points)]

    def first_points(self, x: Tensor) -> Tensor:
        """Points of the first network, px of the input."""
        raise NotImplementedError

    def refine(self, x: Tensor, points: Tensor) -> Tensor:
        """The second network's points, given the first's; px of the input."""
        raise NotImplementedError

    def settings(self, config: RunConfig) -> RunConfig:
        """The settings of the current stage."""
        raise NotImplementedError

    def unit(self) -> float:
        """px of the stage's own input per px of the model's input, on average."""
        raise NotImplementedError

    def mistakes(self, pred: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        """The first network's errors on images it was not trained on, for stage 2 to draw from: [n, ...].

        pred, points: [N, K, 2], px of the input; mask: [N, K].
        """
        raise NotImplementedError

    def lesson(self, x: Tensor, points: Tensor, mask: Tensor, source: Source) -> Lesson:
        """One batch for the current stage. points: px of the input; mask [B, K]: > 0 where labelled."""
        raise NotImplementedError
