"""Explains a training step's share of the matrix-product peak, operator by operator.

    python benchmarks/training_share.py [--recipes recommended,fast,best] [--steps 5]

One thread, processor time. The peak is the rate of a large matrix product. A step's time is split by operator with the
profiler; then every convolution of the network is timed alone, forward and backward, at the recipe's batch size and
number format, with its operations per byte of input, weights and output (the least it must move) and its share of the
peak. The last line is the share the step would reach if only these convolutions took time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from training_speed import matmul_rate, noise, seconds, step_operations

from training.learning.augment.batch import prepare
from training.learning.fit.step.trainer import Trainer
from training.learning.inference.device import DTYPES, keep_memory, mixed_precision, set_threads, to_channels_last
from training.storage.runs.settings.recipes import recipe_config

# Operators of a step by kind; the first word that an operator's name contains decides
KINDS = {
    "convolution": "convolutions",
    "mm": "matrix products",
    "batch_norm": "batch normalisation",
    "relu": "ReLU",
    "threshold": "ReLU",
    "grid_sampl": "augmentation's resampling",
    "copy_": "copies and changes of format",
    "adam": "optimiser and average",
    "lerp": "optimiser and average",
    "foreach": "optimiser and average",
    "add_": "sums",
    "add": "sums",
    "softmax": "softmax",
    "upsample": "enlarging maps",
}


@dataclass(frozen=True)
class Timed:
    """All equal convolutions of a network. operations, bytes, seconds: of one forward and backward pass."""

    shape: str
    count: int
    operations: float
    bytes: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default="recommended,fast,best")
    parser.add_argument("--steps", type=int, default=5)
    args = parser.parse_args()
    keep_memory()
    set_threads(1)
    for name in args.recipes.split(","):
        report(name, args.steps)


def report(name: str, steps: int) -> None:
    """Print one recipe's tables."""
    config = recipe_config(name).changed(device="cpu", threads=1)
    trainer = Trainer(
        config, noise(config.network.input_size, config.network.channels, count=4 * config.optim.batch_size)
    )
    trainer.settle()
    rows = torch.arange(config.optim.batch_size)

    def step() -> None:
        trainer.train_step(rows, done=0.5)

    peak = matmul_rate(DTYPES[trainer.precision], clock=time.process_time)
    taken = statistics.median(seconds(step, steps, time.process_time))
    operations = step_operations(trainer)
    head = {
        "recipe": name,
        "precision": trainer.precision,
        "batch_size": config.optim.batch_size,
        "matmul_tflops": round(peak, 3),
        "ms": round(1000 * taken, 1),
        "mflop_per_image": round(operations / config.optim.batch_size / 1e6),
        "share_of_peak": round(operations / taken / 1e12 / peak, 3),
    }
    print(json.dumps(head))
    print("\n| part of the step | share of its time |\n| --- | ---: |")
    for kind, share in parts(step, steps):
        print(f"| {kind} | {100 * share:.0f} % |")
    print("\n| convolution | how many | share of arithmetic | operations per byte | share of peak, alone |")
    print("| --- | ---: | ---: | ---: | ---: |")
    convolutions = [timed(trainer, *one, steps) for one in found(trainer)]
    for one in convolutions:
        share = one.operations / one.seconds / 1e12 / peak
        print(
            f"| {one.shape} | {one.count} | {100 * one.operations / operations:.0f} % "
            f"| {one.operations / one.bytes:.0f} | {100 * share:.0f} % |"
        )
    alone = sum(one.seconds for one in convolutions)
    print(
        f"\nConvolutions alone: {1000 * alone:.1f} ms, {100 * operations / alone / 1e12 / peak:.0f} % of the peak\n",
        flush=True,
    )


def parts(step: Callable[[], None], steps: int) -> list[tuple[str, float]]:
    """(kind of operator, share of the step's processor time), largest first."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(steps):
            step()
    times: dict[str, float] = defaultdict(float)
    for event in profiler.key_averages():
        kind = next((title for word, title in KINDS.items() if word in event.key.lower()), "the rest")
        times[kind] += event.self_cpu_time_total
    total = sum(times.values())
    return sorted(((kind, value / total) for kind, value in times.items()), key=lambda one: -one[1])


def found(trainer: Trainer) -> list[tuple[nn.Conv2d, torch.Size, int]]:
    """The network's distinct convolutions with their input shapes and counts."""
    seen: dict[tuple, tuple[nn.Conv2d, torch.Size, int]] = {}

    def look(layer: nn.Conv2d, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        key = (layer.weight.shape, layer.stride, inputs[0].shape)
        count = seen[key][2] if key in seen else 0
        seen[key] = layer, inputs[0].shape, count + 1

    layers = [layer for layer in trainer.model.modules() if isinstance(layer, nn.Conv2d)]
    handles = [layer.register_forward_hook(look) for layer in layers]
    config = trainer.config
    with torch.no_grad(), mixed_precision(trainer.device, trainer.precision):
        trainer.model(
            prepare(
                trainer.images[: config.optim.batch_size],
                channels=config.network.channels,
                pixels=config.network.pixels,
            )
        )
    for handle in handles:
        handle.remove()
    return list(seen.values())


def timed(trainer: Trainer, layer: nn.Conv2d, shape: torch.Size, count: int, steps: int) -> Timed:
    """A convolution alone, forward and backward, in the step's number format."""
    dtype = DTYPES[trainer.precision]
    alone = to_channels_last(
        nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, bias=False)
    ).to(dtype)
    x = torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)
    x.requires_grad_(layer.in_channels > 3)  # the first one needs no gradient of the image
    y = alone(x)
    gradient = torch.randn_like(y)

    def step() -> None:
        alone(x).backward(gradient)

    per_output = 2 * layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
    passes = 3 if x.requires_grad else 2
    moved = (x.numel() + y.numel() + alone.weight.numel()) * x.element_size()
    name = (
        f"{layer.kernel_size[0]}x{layer.kernel_size[1]}, {layer.in_channels} to {layer.out_channels} channels, "
        f"{y.shape[2]}x{y.shape[3]}"
    )
    taken = statistics.median(seconds(step, steps, time.process_time))
    return Timed(name, count, count * passes * per_output * y.numel(), count * passes * moved, count * taken)


if __name__ == "__main__":
    main()
