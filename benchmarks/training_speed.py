"""Training images/s of each recipe, and the machine's matrix-product rate measured in the same run.

    python benchmarks/training_speed.py [--recipes ml-resnet,cnn-6] [--steps 12] [--threads 0]

A step is that of a run: batch augmentation, forward, loss, backward, optimiser, running average. The share is the
network's counted operations (convolutions and matrix products) per second, divided by those of a large torch.mm.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from training.faces.labels.schema import KAGGLE_15
from training.learning.augment.batch import prepare
from training.learning.fit.step.trainer import Trainer
from training.learning.inference.device import DTYPES, keep_memory, set_threads
from training.storage.runs.inputs.data import RunData
from training.storage.runs.settings.recipes import RECIPES, recipe_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    keep_memory()
    threads = set_threads(args.threads)
    rates = {name: round(matmul_rate(DTYPES[name]), 3) for name in ("float32", "bfloat16")}
    print(json.dumps({"threads": threads, "matmul_tflops": rates}))
    for name in args.recipes.split(","):
        print(json.dumps(measure(name, args.steps, rates)), flush=True)


def matmul_rate(
    dtype: torch.dtype, *, size: int = 2048, repeats: int = 7, clock: Callable[[], float] = time.perf_counter
) -> float:
    """The best rate of a square matrix product, 10^12 operations/s."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    return 2 * size**3 / min(seconds(lambda: torch.mm(a, b), repeats, clock)) / 1e12


def measure(name: str, steps: int, rates: dict[str, float]) -> dict[str, object]:
    """Median images/s of the recipe's training step, and its share of the matrix-product rate."""
    config = recipe_config(name).changed(device="cpu", threads=torch.get_num_threads())
    trainer = Trainer(
        config, noise(config.network.input_size, config.network.channels, count=4 * config.optim.batch_size)
    )
    trainer.settle()
    rows = torch.arange(config.optim.batch_size)
    times = seconds(lambda: trainer.train_step(rows, done=0.5), steps)
    speed = config.optim.batch_size / statistics.median(times)
    operations = step_operations(trainer) / config.optim.batch_size
    return {
        "recipe": name,
        "precision": trainer.precision,
        "batch_size": config.optim.batch_size,
        "images_per_second": round(speed, 1),
        "images_per_second_best": round(config.optim.batch_size / min(times), 1),
        "mflop_per_image": round(operations / 1e6),
        "share_of_matmul_rate": round(speed * operations / 1e12 / rates[trainer.precision], 3),
    }


def step_operations(trainer: Trainer) -> float:
    """Operations of one forward and backward pass of a batch."""
    x = prepare(trainer.images[: trainer.config.optim.batch_size], channels=trainer.config.network.channels)
    with FlopCounterMode(display=False) as counter:
        trainer.model(x).square().mean().backward()
    trainer.optimizer.zero_grad(set_to_none=True)
    return float(counter.get_total_flops())


def noise(side: int, channels: int, *, count: int) -> RunData:
    """Random images with random points; half of them lack 11 of 15."""
    rng = np.random.default_rng(0)
    shape = (count, side, side) if channels == 1 else (count, side, side, 3)
    points = rng.uniform(0, side, (count, 15, 2)).astype(np.float32)
    points[::2, 4:] = np.nan
    rows = np.arange(count)
    images = rng.integers(0, 256, shape, np.uint8)
    return RunData(images, points, np.full((count, 2), side, np.int32), rows, rows[:8], KAGGLE_15)


def seconds(work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Durations of the repeats, after two to warm up."""
    times = []
    for _ in range(repeats + 2):
        start = clock()
        work()
        times.append(clock() - start)
    return times[2:]


if __name__ == "__main__":
    main()
