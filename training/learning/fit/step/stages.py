"""Training in stages: first the first network, then the second on the first's errors on faces it was not trained on.

Two of the models have two stages (cnn-6-7, cascade). The others have one, which takes the whole budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.learning.fit.resuming.saved_values import SavedValues, is_plain
from training.learning.models.light import LightPoints
from training.learning.models.staged.base import Lesson, Source, StagedNet
from training.storage.runs.inputs.data import RunData
from training.storage.runs.settings.config import RunConfig

_HELD_OUT = 0.15  # of the train rows are held out from stage 1: its errors on them represent those on new faces


class Stages:
    """The stage a run is in: its settings, its rows, its share of the budget and its training targets.

    Everything follows from config, data and what `to_json` saves, so that a resumed run continues exactly.
    """

    def __init__(self, model: nn.Module, config: RunConfig, data: RunData) -> None:
        self.model = model
        self.staged = model if isinstance(model, StagedNet) else None
        self.count = 1 if self.staged is None else 2
        self.number = 1
        self._whole, self._data = config, data
        self._began = 0.0  # fraction of the budget used when the stage began
        self.first_step = self.first_epoch = 0  # optimiser steps and whole epochs before the stage
        self.held = held_out(data, config.seed) if self.staged else data.train[:0]
        self.mistakes = torch.empty(0)
        self.config = self._settings()

    def _settings(self) -> RunConfig:
        return self.staged.settings(self._whole) if self.staged else self._whole

    @property
    def trained(self) -> nn.Module:
        """The network being trained; the rest of the model is frozen."""
        return self.staged.trained if self.staged else self.model

    @property
    def rows(self) -> np.ndarray:
        """The rows to train on in this stage, int64."""
        train = self._data.train
        kept = train[~np.isin(train, self.held)]
        return kept if self.number < self.count and len(kept) else train

    @property
    def unit(self) -> float:
        """px of the stage's own input, which its loss is in, per px of the model's input."""
        return self.staged.unit() if self.staged else 1.0

    def done(self, done: float) -> float:
        """The fraction of the stage's share of the budget that is used, 0..1. done: of the whole budget."""
        end = self._end() if self.number < self.count else 1.0
        return min(1.0, (done - self._began) / max(end - self._began, 1e-9))

    def is_over(self, done: float) -> bool:
        """Whether the next stage is due."""
        return self.number < self.count and done >= self._end()

    def _end(self) -> float:
        """Where in the budget stage 1 ends: with a budget of epochs, at the end of an epoch."""
        split, epochs = self._whole.network.stage_split, self._whole.budget.epochs
        if epochs is None or self._whole.budget.minutes is not None:
            return split
        return min(max(round(split * epochs), 1), max(epochs - 1, 1)) / epochs

    def advance(self, done: float, *, step: int, epoch: int, points_of: Callable[[np.ndarray], np.ndarray]) -> None:
        """Go to stage 2. points_of: the model's points [n, K, 2] for rows, px of the input."""
        if self.staged is None:
            raise ValueError("this model has one stage")
        pred = torch.from_numpy(points_of(self.held))
        points = torch.from_numpy(np.nan_to_num(self._data.points[self.held]))
        mask = torch.from_numpy(self._data.mask[self.held])
        device = self.staged.stage.device
        found = self.staged.mistakes(pred.to(device), points.to(device), mask.to(device))
        self._enter(self.staged, 2, found)
        self._began, self.first_step, self.first_epoch = done, step, epoch

    def _enter(self, staged: StagedNet, number: int, mistakes: Tensor) -> None:
        self.number, self.mistakes = number, mistakes
        staged.begin(number)
        self.config = self._settings()

    def lesson(self, x: Tensor, points: Tensor, mask: Tensor, generator: torch.Generator) -> Lesson:
        """The model's points for a batch [B, C, S, S] and the labels to compare them with, px of the stage's input."""
        if isinstance(self.model, LightPoints):
            return Lesson(self.model.heads(x), points, mask)
        if self.staged is None:
            return Lesson(self.model(x), points, mask)
        return self.staged.lesson(x, points, mask, Source(self.mistakes, self._whole, generator))

    def to_json(self) -> dict[str, Any]:
        """Tensors and plain values for the saved state."""
        return {
            "number": self.number,
            "began": self._began,
            "first_step": self.first_step,
            "first_epoch": self.first_epoch,
            "held": torch.from_numpy(self.held),
            "mistakes": self.mistakes,
        }

    def from_json(self, saved: SavedValues, *, step: int, epoch: int) -> None:
        """Restore saved values of a run that has done these steps and whole epochs. Raises ValueError."""
        if self.staged is None:
            raise ValueError("this model has one stage")
        number = saved.whole("number", least=1, most=self.count)
        self._began = saved.number("began", least=0, most=1)
        self.first_step = saved.whole("first_step", most=step)
        self.first_epoch = saved.whole("first_epoch", most=epoch)
        self.held = self._saved_held(saved)
        self._enter(self.staged, number, self._saved_mistakes(self.staged, saved, number))

    def _saved_held(self, saved: SavedValues) -> np.ndarray:
        found, train = saved.plain("held"), self._data.train
        if not is_plain(found) or found.dtype != torch.int64 or found.ndim != 1 or not 0 < len(found) <= len(train):
            raise ValueError("stages/held is no list of faces")
        held: np.ndarray = found.numpy().copy()
        if not np.isin(held, train).all() or len(np.unique(held)) < len(held):
            raise ValueError("stages/held are other faces than those of this run")
        return held

    def _saved_mistakes(self, staged: StagedNet, saved: SavedValues, number: int) -> Tensor:
        """None in stage 1; in stage 2 as many as there are, each of the kind that the model's `mistakes` gives."""
        found, none = saved.plain("mistakes"), torch.empty(0)
        if number == 1:
            return saved.tensor("mistakes", none)
        keypoints = self._data.points.shape[1]
        points = torch.zeros((1, keypoints, 2), device=staged.stage.device)
        one = staged.mistakes(points, points, torch.ones((1, keypoints), device=points.device))[:1]
        count = len(found) if is_plain(found) and found.ndim else 0
        if not 1 <= count <= max(len(self.held), 1):
            raise ValueError("stages/mistakes are not as many as the faces that this run holds out")
        return saved.tensor("mistakes", one.expand(count, *one.shape[1:]).clone())


def held_out(data: RunData, seed: int) -> np.ndarray:
    """Train rows to hold out from stage 1: whole groups (people) until there are enough, or rows where groups are too
    large.
    """
    train = data.train
    wanted = max(1, math.floor(_HELD_OUT * len(train)))
    rng = np.random.default_rng(seed)
    names, which = np.unique(train if data.groups is None else data.groups[train], return_inverse=True)
    order = rng.permutation(len(names))
    sizes = np.bincount(which)[order]
    chosen = np.isin(which, order[np.cumsum(sizes) - sizes < wanted])
    if chosen.sum() > max(len(train) / 2, 1):
        chosen = np.isin(np.arange(len(train)), rng.permutation(len(train))[:wanted])
    return train[chosen]
