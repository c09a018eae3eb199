"""Compares our training step with plain PyTorch loops for the same network, alternately in one run.

    python benchmarks/training_step.py [--recipes ml-resnet,cnn-6] [--variant default] [--steps 12] [--threads 1]
    python benchmarks/training_step.py --recipes recommended --whole PROJECT.fkp [--epochs 8]

ours: the step of a run: augmentation, network, loss, backward, optimiser, running average. bare: only the network's
forward and backward pass on prepared images, in the same number format. plain: the network of plain_models.py in the
same number format, with tensors in memory, without augmentation and average. naive: the same in float32 with images
from a DataLoader. (The last two need the network in plain_models.py.) Two-stage models are in their second stage. A
ratio is the median over the turns; above 1, ours is faster. On one thread times are processor time, which does not
depend on the machine's load. Also given is the share of augmentation in our step.
share_of_peak: operations (convolutions and matrix products) per second over those of the best large matrix product.
--whole: also trains for this many epochs as `fkp train` does, and compares images/s, including everything besides the
steps (self-training, evaluation after each epoch, saving), with the bare loop's. The run is added to the project.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from plain_models import PLAIN
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from training_speed import matmul_rate, noise, step_operations

from training.learning.augment.batch import augment, prepare
from training.learning.fit.step.streaming import take
from training.learning.fit.step.trainer import Trainer
from training.learning.fit.train_run import train_run
from training.learning.inference.device import DTYPES, keep_memory, mixed_precision, set_threads
from training.storage.project.project import Project
from training.storage.runs.inputs.snapshot import load_snapshot
from training.storage.runs.new_run import create_run
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.recipes import RECIPES, recipe_config

Step = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--variant", default="default")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--whole", type=Path)
    parser.add_argument("--epochs", type=int, default=8)
    args = parser.parse_args()
    keep_memory()
    for name in args.recipes.split(","):
        config = recipe_config(name, args.variant).changed(device="cpu")
        found = measure(config, args.steps, args.threads)
        if args.whole:
            speed = whole(config.changed(epochs=args.epochs, minutes=None, threads=found["threads"]), args.whole)
            bare_speed = 1000 * config.optim.batch_size / found["ms"]["bare"]
            found |= {"whole_images_per_second": round(speed, 1), "whole_to_bare": round(speed / bare_speed, 2)}
        print(json.dumps(found), flush=True)


def measure(config: RunConfig, steps: int, threads: int) -> dict[str, Any]:
    """Median ms of a step, ratios of plain and naive to ours, and the share of augmentation in ours."""
    trainer = Trainer(
        config, noise(config.network.input_size, config.network.channels, count=4 * config.optim.batch_size)
    )
    trainer.settle()
    if trainer.stages.count > 1:
        trainer.next_stage(0.5)
    count = set_threads(threads)
    works = {"ours": ours(trainer), "augmentation": augmentation(trainer), "bare": bare(trainer)}
    if config.network.model in PLAIN:
        works |= {"plain": plain(trainer, config, trainer.precision), "naive": naive(trainer, config)}
    clock = time.process_time if count == 1 else time.perf_counter
    times = in_turns(works, steps, clock=clock)
    ratio = {name: median_ratio(times[name], times["ours"]) for name in works}
    peak = step_operations(trainer) / 1e12 / matmul_rate(DTYPES[trainer.precision], clock=clock)  # seconds per step
    return {
        "recipe": config.recipe,
        "variant": config.variant,
        "precision": trainer.precision,
        "threads": count,
        "batch_size": config.optim.batch_size,
        "ms": {name: round(1000 * statistics.median(values), 1) for name, values in times.items()},
        **{f"{name}_to_ours": round(ratio[name], 2) for name in works if name not in ("ours", "augmentation")},
        "augmentation_share": round(ratio["augmentation"], 3),
        "share_of_peak": {name: round(peak / statistics.median(times[name]), 3) for name in ("ours", "bare")},
        "load": round(os.getloadavg()[0], 1),
    }


def whole(config: RunConfig, project: Path) -> float:
    """Overall training images/s of a new run of this project."""
    with Project.open(project) as opened:
        run = create_run(opened, config)
    clock = time.process_time if config.machine.threads == 1 else time.perf_counter
    begun = clock()
    train_run(run)
    taken = clock() - begun
    snapshot = load_snapshot(run)
    return config.budget.epochs * int((snapshot.splits == 0).sum()) / taken


def ours(trainer: Trainer) -> Step:
    """One training step."""
    rows = torch.arange(trainer.config.optim.batch_size)
    return lambda: trainer.train_step(rows, done=0.7)


def augmentation(trainer: Trainer) -> Step:
    """The step's augmentation only."""
    rows = torch.arange(trainer.config.optim.batch_size)

    def step() -> object:
        batch = take(trainer.images, rows), trainer.points[rows], trainer.mask[rows]
        generator = torch.Generator().manual_seed(1)
        return augment(*batch, config=trainer.stages.config, flip=trainer.flip, generator=generator)

    return step


def bare(trainer: Trainer) -> Step:
    """Forward and backward pass of the trainer's network on a prepared batch."""
    config = trainer.config
    x = prepare(
        trainer.images[: config.optim.batch_size], channels=config.network.channels, pixels=config.network.pixels
    )

    def step() -> None:
        trainer.model.train()
        with mixed_precision(trainer.device, trainer.precision):
            points = trainer.model(x)
        points.float().square().mean().backward()
        trainer.model.zero_grad(set_to_none=True)

    return step


def plain(trainer: Trainer, config: RunConfig, precision: str) -> Step:
    """A step of the plain loop with tensors in memory."""
    work = Plain(trainer, config, precision)
    rows = torch.arange(config.optim.batch_size)
    return lambda: work.step(trainer.images[rows], trainer.points[rows], trainer.mask[rows])


def naive(trainer: Trainer, config: RunConfig) -> Step:
    """A step of the plain loop in float32, with a DataLoader."""
    work = Plain(trainer, config, "float32")
    loader = DataLoader(
        TensorDataset(trainer.images, trainer.points, trainer.mask), batch_size=config.optim.batch_size, shuffle=True
    )

    def forever() -> Iterator[list[Tensor]]:
        while True:
            yield from loader

    batches = forever()
    return lambda: work.step(*next(batches))


class Plain:
    """A network, its optimiser and one training step."""

    def __init__(self, trainer: Trainer, config: RunConfig, precision: str) -> None:
        keypoints = trainer.points.shape[1]
        self.trainer, self.config, self.precision = trainer, config, precision
        self.model = PLAIN[config.network.model](config.network.input_size, config.network.channels, keypoints).train()
        weights = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer: torch.optim.Optimizer = (
            torch.optim.SGD(weights, lr=1e-6, momentum=0.9, weight_decay=config.optim.weight_decay)
            if config.optim.optimizer == "sgd"
            else torch.optim.AdamW(weights, lr=1e-4, weight_decay=config.optim.weight_decay)
        )

    def step(self, images: Tensor, points: Tensor, mask: Tensor) -> None:
        """Scale images to 0..1, forward, masked loss, backward, optimiser."""
        x = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
        x = x.float() / 255
        self.optimizer.zero_grad()
        with mixed_precision(torch.device("cpu"), self.precision):
            pred = self.model(x)
        error = pred - points
        loss = (self._error(error) * mask.unsqueeze(-1)).sum() / (2 * mask.sum())
        loss.backward()
        self.optimizer.step()

    def _error(self, error: Tensor) -> Tensor:
        if self.config.objective.loss == "mse":
            return error**2
        w, epsilon = self.config.objective.wing_w, self.config.objective.wing_epsilon
        size = error.abs()
        constant = w - w * torch.log(torch.tensor(1 + w / epsilon))
        return torch.where(size < w, w * torch.log(1 + size / epsilon), size - constant)


def in_turns(works: dict[str, Step], steps: int, *, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Durations of each step, measured in turns; the first two turns only warm up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(steps + 2):
        for name, work in works.items():
            start = clock()
            work()
            times[name].append(clock() - start)
    return {name: values[2:] for name, values in times.items()}


def median_ratio(ones: list[float], others: list[float]) -> float:
    """The median over the turns of the ratio of two durations."""
    return statistics.median(a / b for a, b in zip(ones, others, strict=True))


if __name__ == "__main__":
    main()
