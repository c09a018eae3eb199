"""Records which units of a network ever fire while it is evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from training.learning.models.staged.patches import GroupedReLU

_IMAGES = 256  # are enough
_FEWEST = 20  # images before a unit that has never fired counts as dead


@dataclass
class Layer:
    """A layer of ReLUs. largest: per unit (a feature, or a channel anywhere in the image) the largest output so far.

    groups: how many networks share the layer, each with the same number of units.
    """

    largest: Tensor
    images: int
    groups: int = 1

    @property
    def size(self) -> int:
        """The units of one network."""
        return len(self.largest) // self.groups

    @property
    def dead(self) -> float:
        """The fraction of units that never fired; with several networks, of the one that has the most of them."""
        if self.images < _FEWEST:
            return 0.0
        return float((self.largest <= 0).float().view(self.groups, -1).mean(dim=1).max())

    @property
    def strength(self) -> float:
        """The median of the largest outputs, over the units that fire; 0 if none does."""
        alive = self.largest[self.largest > 0]
        return float(alive.median()) if len(alive) else 0.0


@dataclass
class Units:
    """The layers by name, in the order they are computed; a layer used twice is listed twice."""

    layers: dict[str, Layer] = field(default_factory=dict)

    def worst(self, *, within: str = "") -> tuple[str, Layer] | None:
        """The first layer with the largest fraction of dead units. within: prefix of the names to consider."""
        found = [item for item in self.layers.items() if item[0].startswith(within)]
        return max(found, key=lambda item: item[1].dead) if found else None

    def last(self) -> Layer | None:
        """The layer before the output."""
        return next(reversed(self.layers.values()), None)

    def add(self, name: str, output: Tensor, *, groups: int = 1) -> None:
        """Record the outputs [B, units] or [B, units, H, W] of a layer that `groups` networks share."""
        known = self.layers.get(name)
        if known is not None and known.images >= _IMAGES:
            return
        largest = output.amax(dim=tuple(i for i in range(output.ndim) if i != 1)).float()
        if known is None:
            self.layers[name] = Layer(largest, len(output), groups)
        elif known.largest.shape == largest.shape:
            known.largest = torch.maximum(known.largest, largest)
            known.images += len(output)


@contextmanager
def watched_units(model: nn.Module) -> Iterator[Units]:
    """Record the outputs of the model's ReLUs within the block."""
    units = Units()
    calls: dict[str, int] = {}

    def start(_module: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
        calls.clear()

    def hook(name: str, module: nn.Module, output: Tensor) -> None:
        calls[name] = calls.get(name, 0) + 1
        groups = module.groups if isinstance(module, GroupedReLU) else 1
        units.add(name if calls[name] == 1 else f"{name} ({calls[name]})", output, groups=groups)

    handles = [model.register_forward_pre_hook(start)]
    for name, module in model.named_modules():
        if isinstance(module, nn.ReLU):
            handles.append(module.register_forward_hook(lambda m, _i, output, name=name: hook(name, m, output)))
    try:
        yield units
    finally:
        for handle in handles:
            handle.remove()
