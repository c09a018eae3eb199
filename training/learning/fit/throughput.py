"""Measures how many images/s a recipe's network handles on this machine, forward and in training."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from training.faces.labels.schema import KAGGLE_15
from training.learning.fit.step.trainer import Trainer
from training.learning.inference.device import keep_memory, mixed_precision, to_channels_last
from training.learning.models.staged.base import StagedNet
from training.storage.runs.inputs.data import RunData
from training.storage.runs.settings.config import RunConfig

MANY = 32  # images at once
_SECONDS, _REPEATS = 1.0, 3  # per measurement, at least this many


@dataclass(frozen=True)
class Speed:
    """Images/s: forward one at a time and MANY at once; in training, whole steps with the recipe's batch.

    precision and threads are those a run would choose. For a staged model, forward is both stages, training the first.
    """

    one: float
    many: float
    training: float
    precision: str
    threads: int


def measure_speed(config: RunConfig, *, seconds: float = _SECONDS) -> Speed:
    """Measure on this machine's CPU for about three times `seconds`; medians, after a warm-up that does not count."""
    keep_memory()
    trainer = Trainer(config.changed(device="cpu", pretrained=""), _noise(config))
    trainer.settle()
    model = to_channels_last(copy.deepcopy(trainer.model)).eval()
    if isinstance(model, StagedNet):
        model.begin(trainer.stages.count)

    @torch.inference_mode()
    def forward(x: torch.Tensor) -> None:
        with mixed_precision(trainer.device, trainer.precision):
            model(x)

    def per_second(count: int) -> float:
        x = torch.randn(count, config.network.channels, config.network.input_size, config.network.input_size)
        x = x.contiguous(memory_format=torch.channels_last)
        return count / _median(lambda: forward(x), seconds)

    rows = torch.from_numpy(trainer.stages.rows[: config.optim.batch_size])
    training = len(rows) / _median(lambda: trainer.train_step(rows, done=0.1), seconds)
    return Speed(per_second(1), per_second(MANY), training, trainer.precision, trainer.threads)


def _median(work: Callable[[], None], seconds: float) -> float:
    work()
    times: list[float] = []
    while sum(times) < seconds or len(times) < _REPEATS:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _noise(config: RunConfig) -> RunData:
    """Random images with random points: one batch, plus what a staged model holds out from its first stage."""
    rng = np.random.default_rng(0)
    side, count = config.network.input_size, 8 + 2 * config.optim.batch_size
    shape = (count, side, side) if config.network.channels == 1 else (count, side, side, 3)
    points = rng.uniform(0, side, (count, len(KAGGLE_15), 2)).astype(np.float32)
    rows, sizes = np.arange(count), np.full((count, 2), side, np.int32)
    return RunData(rng.integers(0, 256, shape, np.uint8), points, sizes, rows[8:], rows[:8], KAGGLE_15)
