"""Random numbers of a batch, one row a picture: the same whether one process works on the batch or several share it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class BatchGenerator(torch.Generator):
    """A generator whose draws are for a whole batch of `count` pictures, of which this process works on the rows `part`."""

    count: int
    part: slice

    @classmethod
    def of(cls, seed: int, *, count: int, part: slice) -> BatchGenerator:
        """A generator with this seed; torch's own takes no further arguments when it is made."""
        generator = cls()
        generator.count, generator.part = count, part
        generator.manual_seed(seed)
        return generator


def uniform(*shape: int, generator: torch.Generator) -> Tensor:
    """Numbers 0..1 of this shape, [B, ...]; B: the pictures this process works on."""
    return _draw(torch.rand, shape, generator)


def normal(*shape: int, generator: torch.Generator) -> Tensor:
    """Numbers of N(0, 1) of this shape, [B, ...]."""
    return _draw(torch.randn, shape, generator)


def _draw(kind: Callable[..., Tensor], shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if not isinstance(generator, BatchGenerator):
        return kind(shape, generator=generator)
    if shape[0] != len(range(generator.count)[generator.part]):
        raise ValueError(f"numbers for {shape[0]} pictures; this process has the rows {generator.part}")
    return kind((generator.count, *shape[1:]), generator=generator)[generator.part]
