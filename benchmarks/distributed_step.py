"""The training step shared by processes on this machine's processor, against the step of one process at the same batch.

    python benchmarks/distributed_step.py [--recipes recommended,ml-resnet,cnn-6] [--processes 2] [--rounds 7] [--steps 3]

One thread per process; in each round every way does so many steps in turn. alone: one process. ddp: as `fkp train` shares
a step, through DistributedDataParallel. by_hand: the same, but the gradients are summed in one go after the backward pass.
Figures are medians over the rounds: seconds per step, and their ratio to alone (1 / processes would be ideal).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import torch
import torch.distributed as dist
from training_speed import noise

from training.learning.fit.parallel.connection import joined
from training.learning.fit.parallel.ranks import Ranks
from training.learning.fit.step.trainer import Trainer
from training.learning.inference.device import keep_memory
from training.storage.runs.settings.recipes import recipe_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default="recommended,ml-resnet,cnn-6")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3)
    args = parser.parse_args()
    if "RANK" not in os.environ:
        start(args.processes)
        return
    keep_memory()
    torch.set_num_threads(1)
    with joined() as ranks:
        for name in args.recipes.split(","):
            found = measure(name, ranks, args)
            if ranks.leads:
                print(json.dumps(found), flush=True)


def start(count: int) -> None:
    """This script once per process."""
    with tempfile.TemporaryDirectory() as folder:
        shared = {
            **os.environ,
            "FKP_MEETING": f"{folder}/meeting",
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
        }
        ranks = [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]
        running = [subprocess.Popen([sys.executable, *sys.argv], env=environment) for environment in ranks]
        sys.exit(max(abs(process.wait()) for process in running))


def measure(name: str, ranks: Ranks, args: argparse.Namespace) -> dict[str, object]:
    """Median seconds per step of each way."""
    ways: dict[str, Callable[[], object]] = {
        "alone": alone(name, ranks),
        "ddp": ddp(name, ranks),
        "by_hand": by_hand(name, ranks),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(args.rounds + 1):
        for way, step in ways.items():
            dist.barrier()
            begin = time.perf_counter()
            for _ in range(args.steps):
                step()
            if turn:  # the first prepares kernels and buckets
                times[way].append((time.perf_counter() - begin) / args.steps)
    median = {way: statistics.median(found) for way, found in times.items()}
    return {
        "recipe": name,
        "seconds": {way: round(value, 4) for way, value in median.items()},
        "ratio": {way: round(median[way] / median["alone"], 3) for way in ("ddp", "by_hand")},
    }


def trainer_of(name: str, ranks: Ranks) -> Trainer:
    config = recipe_config(name).changed(device="cpu", threads=1)
    made = Trainer(
        config, noise(config.network.input_size, config.network.channels, count=2 * config.optim.batch_size), ranks
    )
    made.precision = "float32"
    return made


def alone(name: str, ranks: Ranks) -> Callable[[], object]:
    trainer = trainer_of(name, Ranks())
    rows = torch.arange(trainer.config.optim.batch_size)
    return lambda: trainer.train_step(rows, done=0.5) if ranks.leads else None


def ddp(name: str, ranks: Ranks) -> Callable[[], object]:
    trainer = trainer_of(name, ranks)
    ranks.share_layers(trainer.model)
    trainer.share()
    return together(trainer)


def by_hand(name: str, ranks: Ranks) -> Callable[[], object]:
    trainer = trainer_of(name, ranks)
    ranks.share_layers(trainer.model)
    parameters = list(trainer.stages.trained.parameters())

    def sum_gradients(*_: object) -> None:
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in grads])
        dist.all_reduce(flat)
        flat /= ranks.place.count
        for grad, value in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
            grad.copy_(value.view_as(grad))

    trainer.optimizer.register_step_pre_hook(sum_gradients)
    return together(trainer)


def together(trainer: Trainer) -> Callable[[], object]:
    """A step of all processes: the first announces it, the others take part."""
    rows = torch.arange(trainer.config.optim.batch_size)

    def step() -> None:
        if not trainer.ranks.leads:
            next(trainer.ranks.steps())
        trainer.train_step(rows, done=0.5)

    return step


if __name__ == "__main__":
    main()
