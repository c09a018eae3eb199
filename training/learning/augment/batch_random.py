"""Random numbers per image of a batch, the same whether one process handles the batch or several share it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class BatchGenerator(torch.Generator):
    """A generator that draws for a whole batch of `count` images, of which this process handles the rows `part`."""

    count: int
    part: slice

    @classmethod
    def of(cls, seed: int, *, count: int, part: slice) -> BatchGenerator:
        """A factory, since torch's constructor takes no further arguments."""
        generator = cls()
        generator.count, generator.part = count, part
        generator.manual_seed(seed)
        return generator


def uniform(*shape: int, generator: torch.Generator) -> Tensor:
    """Uniform in 0..1, of this shape [B, ...]; B: the images this process handles."""
    return _draw(torch.rand, shape, generator)


def normal(*shape: int, generator: torch.Generator) -> Tensor:
    """From N(0, 1), of this shape [B, ...]."""
    return _draw(torch.randn, shape, generator)


def _draw(kind: Callable[..., Tensor], shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if not isinstance(generator, BatchGenerator):
        return kind(shape, generator=generator)
    if shape[0] != len(range(generator.count)[generator.part]):
        raise ValueError(f"numbers for {shape[0]} images; this process has the rows {generator.part}")
    return kind((generator.count, *shape[1:]), generator=generator)[generator.part]
