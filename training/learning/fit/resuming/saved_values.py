"""The parts of a saved state, each compared with what it must be: the file may be anybody's."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from training.learning.inference.finite import is_finite

MOST = 2**53  # of any count: processes send them to each other as float64


class SavedValues:
    """Named values of a saved state. All methods raise ValueError, which names what is missing or unlike."""

    def __init__(self, values: Any, name: str = "") -> None:
        self._name = name
        if not isinstance(values, Mapping):
            raise ValueError(f"{name or 'it'} is not a table")
        self._values = values

    def names(self) -> Collection[Any]:
        return self._values.keys()

    def plain(self, name: Any) -> Any:
        """The value as it is; the caller compares it."""
        if name not in self._values:
            raise ValueError(f"{self._path(name)} is missing")
        return self._values[name]

    def inside(self, name: Any) -> SavedValues:
        return SavedValues(self.plain(name), self._path(name))

    def whole(self, name: str, *, least: int = 0, most: int = MOST) -> int:
        value = self.plain(name)
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{self._path(name)} is not a whole number from {least} to {most}")
        return value

    def number(self, name: str, *, least: float = -math.inf, most: float = math.inf, or_nan: bool = False) -> float:
        value = self.plain(name)
        if type(value) is not float or not (least <= value <= most or (or_nan and math.isnan(value))):
            raise ValueError(f"{self._path(name)} is not a number from {least:g} to {most:g}")
        return value

    def text(self, name: str, choices: Collection[str]) -> str:
        value = self.plain(name)
        if type(value) is not str or value not in choices:
            raise ValueError(f"{self._path(name)} is none of {', '.join(sorted(choices))}")
        return value

    def texts(self, name: str) -> list[str]:
        value = self.plain(name)
        if type(value) is not list or any(type(v) is not str for v in value):
            raise ValueError(f"{self._path(name)} is not a list of texts")
        return value

    def tensor(self, name: Any, like: Tensor) -> Tensor:
        """A copy with the shape, type, memory layout and device of `like`.

        Copied even where it fits: a file can give a tensor that has the right shape less memory than it needs.
        """
        value = self.plain(name)
        if not is_plain(value) or value.dtype != like.dtype or value.shape != like.shape:
            raise ValueError(f"{self._path(name)} is no tensor of shape {tuple(like.shape)} and type {like.dtype}")
        fresh = torch.empty_like(like, requires_grad=False)
        fresh.copy_(value.detach())
        return fresh

    def tensors(self, name: str, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The values of a module's state dict, all finite."""
        inner = self.inside(name)
        strange = [key for key in inner.names() if key not in like]
        if strange:
            raise ValueError(f"{name} holds {str(strange[0])[:80]!r}, which this network lacks")
        found = {key: inner.tensor(key, value) for key, value in like.items()}
        broken = [key for key, value in found.items() if not is_finite(value)]
        if broken:
            raise ValueError(f"{name}/{broken[0]} is not finite: the training had diverged")
        return found

    def _path(self, name: Any) -> str:
        return f"{self._name}/{str(name)[:80]}" if self._name else str(name)[:80]


def is_plain(value: Any) -> bool:
    """Whether the value is a tensor with real memory: not sparse, quantised, or without any."""
    return (
        type(value) is Tensor
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )
