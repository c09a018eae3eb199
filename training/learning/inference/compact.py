"""A trained model in half the size: its weights as 16-bit numbers, to be passed on or put beside a program.

Every reader of models takes them: weights become 32-bit numbers again when they are loaded. A half-precision number has 11
binary digits, far more than a point's place needs.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from training.learning.inference.checkpoint import load_model, save_model

_HALF = torch.float16


def write_compact(model: Path, out: Path) -> int:
    """Write the model of a run folder, a starter or a file to `out` with 16-bit weights; the file's size in bytes.

    Raises UserError where there is no model.
    """
    network, info = load_model(model)
    save_model(out, {name: _halved(value) for name, value in network.state_dict().items()}, info)
    return out.stat().st_size


def _halved(value: Tensor) -> Tensor:
    """As 16-bit numbers, unless it holds others than floating-point ones, or some too large for them."""
    if not value.is_floating_point() or not bool(value.to(_HALF).isfinite().all()):
        return value
    return value.to(_HALF)
