"""Compares the cascade's K small networks as one grouped network with a loop over K networks, in one run.

python benchmarks/patch_nets.py [--keypoints 15] [--batch 32] [--threads 1] [--repeats 6]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from training.learning.inference.device import keep_memory, mixed_precision, set_threads, to_channels_last
from training.learning.models.staged.cascade import PATCH
from training.learning.models.staged.patches import PatchNets


class Loop(nn.Module):
    """One network per keypoint, run in turn."""

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        self.nets = nn.ModuleList([PatchNets(keypoints=1, channels=1, side=PATCH) for _ in range(keypoints)])

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([net(x[:, k : k + 1]) for k, net in enumerate(self.nets)], dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keypoints", type=int, default=15)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=6)
    args = parser.parse_args()
    keep_memory()
    set_threads(args.threads)
    x = torch.randn(args.batch, args.keypoints, PATCH, PATCH)
    for precision in ("float32", "bfloat16"):
        grouped = PatchNets(keypoints=args.keypoints, channels=1, side=PATCH)
        for name, network in (("grouped", grouped), ("loop", Loop(args.keypoints))):
            model = to_channels_last(network)
            found = {
                "step_ms": milliseconds(partial(step, model, x, precision), args.repeats),
                "predict_ms": milliseconds(partial(predict, model, x, precision), args.repeats),
            }
            print(json.dumps({"network": name, "precision": precision, **found}), flush=True)


def step(model: nn.Module, x: Tensor, precision: str) -> None:
    """Forward and backward."""
    model.zero_grad()
    with mixed_precision(x.device, precision):
        points = model(x)
    points.float().square().mean().backward()


@torch.inference_mode()
def predict(model: nn.Module, x: Tensor, precision: str) -> None:
    """Forward alone."""
    with mixed_precision(x.device, precision):
        model(x)


def milliseconds(act: Callable[[], None], repeats: int) -> float:
    """The least processor time of this thread; the first call, which prepares kernels, is excluded."""
    act()
    costs = []
    for _ in range(repeats):
        start = time.thread_time()
        act()
        costs.append(time.thread_time() - start)
    return round(1000 * min(costs), 1)


if __name__ == "__main__":
    main()
