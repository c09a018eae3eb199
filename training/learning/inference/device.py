"""Chooses the device, the number format and the number of threads to compute with."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import nn

from training.errors import UserError

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}  # float16 would need its gradients scaled


def choose_device(name: str) -> torch.device:
    """The device of a name; auto is cuda, then mps, then cpu. Raises UserError for one this machine lacks."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, ok in there.items() if ok))
    if not there.get(name, False):
        raise UserError(f"This machine has no {name} device; use auto or cpu.")
    return torch.device(name)


def keep_memory() -> None:
    """Make glibc keep freed memory: returning activations to the system after each step costs more than computing them.

    Measured speed-up of two to four times for backward passes with large activations in a virtual machine. No effect
    without glibc.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not glibc
        return
    mallopt(_M_MMAP_THRESHOLD, 1 << 30)
    mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def set_threads(count: int) -> int:
    """Use this many CPU threads (0: every core this process may use); returns the number."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(min(count, 4 * cores) if count else cores)
    return torch.get_num_threads()


def mixed_precision(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context to run the network in: autocast for bfloat16, none for float32."""
    return torch.autocast(device.type, DTYPES[precision], enabled=precision != "float32")


def choose_precision(wanted: str, device: torch.device, step: Callable[[str], None], *, repeats: int = 2) -> str:
    """The number format to train in: the one wanted, or for auto the one whose `step(precision)` takes less CPU time.

    bfloat16 is several times faster on a CPU with bf16 matrix units and slower on others, so it is measured, in CPU
    time of one thread, so that other work on the machine has no influence.
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    if device.type != "cpu":
        return "float32"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        cost = {name: _least(step, name, time.thread_time, repeats) for name in ("float32", "bfloat16")}
    finally:
        torch.set_num_threads(threads)
    return min(cost, key=lambda name: cost[name])


def choose_threads(wanted: int, device: torch.device, step: Callable[[], None], *, repeats: int = 4) -> int:
    """Choose and set the number of threads: the one wanted, or for 0 every core, unless one thread is clearly faster.

    One thread is faster where other programs keep the cores busy, since threads wait for each other after every layer.
    """
    every = set_threads(wanted)
    if wanted or device.type != "cpu" or every == 1:
        return every
    together = _least(lambda _: step(), "", time.perf_counter, repeats)
    torch.set_num_threads(1)
    alone = _least(lambda _: step(), "", time.perf_counter, repeats)
    if alone * 1.2 > together:
        torch.set_num_threads(every)
    return torch.get_num_threads()


def _least(step: Callable[[str], None], name: str, clock: Callable[[], float], repeats: int) -> float:
    """The minimum seconds per step; the first, which allocates memory and prepares kernels, does not count."""
    step(name)
    costs = []
    for _ in range(repeats):
        start = clock()
        step(name)
        costs.append(clock() - start)
    return min(costs)


def to_channels_last(model: nn.Module) -> nn.Module:
    """Use the memory layout for convolution weights that is fastest on CPUs and tensor cores."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # untyped in torch
