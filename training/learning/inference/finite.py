"""Whether weights are finite."""

from __future__ import annotations

import numpy as np
from torch import Tensor


def is_finite(value: Tensor) -> bool:
    """Whether all numbers of a tensor are finite.

    By NumPy: torch's threads wait for each other at every small tensor, which takes a hundred times as long on a busy
    machine.
    """
    plain = value.detach().cpu()
    return bool(np.isfinite(plain.numpy() if plain.dtype.itemsize >= 4 else plain.float().numpy()).all())
