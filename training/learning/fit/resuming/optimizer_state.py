"""Gives an optimiser its saved memory, compared with its parameters.

torch takes tensors of any shape, and its fused steps then read and write past their end.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from training.learning.fit.resuming.saved_values import SavedValues

_SETTINGS = ("weight_decay", "rate", "betas", "eps", "amsgrad", "maximize", "momentum", "dampening", "nesterov")
_COUNTED = 2**24  # float32, in which torch counts the steps, cannot hold more


def restore_optimizer(optimizer: torch.optim.Optimizer, saved: SavedValues, *, steps: int) -> None:
    """Restore what `optimizer.state_dict()` gave after that many steps. Raises ValueError where it does not fit.

    Settings stay the optimiser's own: the saved ones must be equal, except the rate, which each step sets anew.
    """
    own = optimizer.state_dict()["param_groups"]
    _compare_groups(own, saved.plain("param_groups"))
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    memory = saved.inside("state")
    kept = _memory_names(optimizer)
    there = range(len(parameters)) if steps and kept else ()
    if set(memory.names()) != set(there):
        raise ValueError(f"the optimiser remembers {len(memory.names())} of {len(there)} tensors")
    state = {n: _restored(memory.inside(n), parameters[n], kept, steps=steps) for n in there}
    optimizer.load_state_dict({"state": state, "param_groups": own})


def _memory_names(optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    """What the optimiser keeps for each parameter, of its shape."""
    if isinstance(optimizer, torch.optim.SGD):
        return ("momentum_buffer",) if optimizer.param_groups[0]["momentum"] else ()
    return ("exp_avg", "exp_avg_sq")


def _restored(memory: SavedValues, parameter: Tensor, kept: tuple[str, ...], *, steps: int) -> dict[str, Tensor]:
    found = {name: memory.tensor(name, parameter) for name in kept}
    if "exp_avg" in kept:
        found["step"] = memory.tensor("step", torch.zeros(()))
        if float(found["step"]) != min(steps, _COUNTED):
            raise ValueError(f"the optimiser has counted other than {steps} steps")
    if set(memory.names()) != set(found):
        raise ValueError("the optimiser remembers other than its kind does")
    return found


def _compare_groups(own: list[dict[str, Any]], saved: Any) -> None:
    """Raises ValueError where the saved groups have other parameters or settings."""
    if type(saved) is not list or len(saved) != len(own):
        raise ValueError(f"the optimiser does not have {len(own)} groups")
    for number, (ours, theirs) in enumerate(zip(own, saved, strict=True)):
        values = SavedValues(theirs, f"optimizer/param_groups/{number}")
        for name in ("params", *(name for name in _SETTINGS if name in ours)):
            value = values.plain(name)
            if type(value) is not type(ours[name]) or repr(value) != repr(ours[name]):
                raise ValueError(f"optimizer/param_groups/{number}/{name} is not {str(ours[name])[:80]}")
