"""Writes a trained model with 16-bit weights, at half the size, for distribution.

Every reader of models accepts these files: the weights become 32-bit again on loading. Half precision has 11
significant bits, far more than the accuracy of a point requires.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from training.learning.inference.checkpoint import load_model, save_model
from training.storage.runs.run import Run

_HALF = torch.float16


def write_compact(model: Run, out: Path) -> int:
    """Write the model of a run folder, a starter or a file to `out` with 16-bit weights; returns the size in bytes.

    Raises UserError where there is no model.
    """
    network, info = load_model(model)
    save_model(out, {name: _halved(value) for name, value in network.state_dict().items()}, info)
    return out.stat().st_size


def _halved(value: Tensor) -> Tensor:
    """As float16, unless the tensor is not floating-point or has values too large for it."""
    if not value.is_floating_point() or not bool(value.to(_HALF).isfinite().all()):
        return value
    return value.to(_HALF)
