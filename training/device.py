"""Where and in which number format to compute."""

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
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str) -> torch.device:
    """The device of a name; auto is cuda, then mps, then cpu. Raises UserError for one that is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, ok in there.items() if ok))
    if not there.get(name, False):
        raise UserError(f"This machine has no {name} device; use auto or cpu.")
    return torch.device(name)


def keep_memory() -> None:
    """Have glibc keep freed memory for the process: giving activations back after each step costs more than computing them.

    Measured two to four times on the backward passes of large activations in a virtual machine. Elsewhere no effect.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not glibc
        return
    mallopt(_M_MMAP_THRESHOLD, 1 << 30)
    mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def set_threads(count: int) -> int:
    """Use so many processor threads (0: every core this process may use); returns the number."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(min(count, 4 * cores) if count else cores)
    return torch.get_num_threads()


def mixed_precision(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context in which the network computes: autocast for bfloat16 and float16, none for float32."""
    return torch.autocast(device.type, DTYPES[precision], enabled=precision != "float32")


def choose_precision(wanted: str, device: torch.device, step: Callable[[str], None], *, repeats: int = 4) -> str:
    """The number format to train in: the one wanted, or for auto the one whose `step(precision)` takes less time.

    On a CPU with bf16 matrix units bfloat16 is several times faster, on others slower: measured, not assumed.
    """
    if wanted == "float16" and device.type == "cpu":
        raise UserError("The precision float16 needs a graphics card; use auto, float32 or bfloat16.")
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    if device.type != "cpu":
        return "float32"
    seconds = {precision: float("inf") for precision in ("float32", "bfloat16")}
    for turn in range(repeats + 1):  # taking turns, the best of each: other work on the machine disturbs both alike
        for precision in seconds:
            start = time.perf_counter()
            step(precision)
            if turn > 0:  # the first one takes memory and prepares kernels
                seconds[precision] = min(seconds[precision], time.perf_counter() - start)
    return min(seconds, key=lambda precision: seconds[precision])


def to_channels_last(model: nn.Module) -> nn.Module:
    """The model with its convolutions' weights in the layout that is fastest on CPUs and tensor cores."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a Module method torch leaves untyped
