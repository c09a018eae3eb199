"""Self-training: unlabelled points of train faces are learned from the predictions of the averaged weights.

An image costs the same whether four of its points are labelled or all. After a third of the budget, the average model's
predictions become labels for missing points, weighted by how far its heads and the mirrored image agree; they are
renewed as the model improves (pseudo-labels: Lee, 2013; the average as teacher: Tarvainen and Valpola, Mean teachers,
2017).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.learning.fit.resuming.saved_values import SavedValues
from training.storage.runs.inputs.data import RunData

_FROM = 0.35  # of the budget: before that the model is not accurate enough
_ROUNDS = 5  # after that, at equal distances
_SHARE = 0.25  # of the images seen so far, at most, are predicted per round: large sets take several rounds


class SelfTraining:
    """Points [N, K, 2] (px of the input, shifted like labels) and weights [N, K] of points that nobody has labelled.

    strength: the weight of a point that all views agree on; it halves where they deviate by a pixel in 96. Only points
    of train rows in the state unset are used.
    """

    def __init__(self, data: RunData, unset: np.ndarray, *, strength: float, seed: int, device: torch.device) -> None:
        self.strength, self.pixel = strength, data.side / 96
        self.unset = torch.from_numpy(unset).to(device)
        self.points = torch.zeros((*unset.shape, 2), device=device)
        self.weight = torch.zeros(unset.shape, device=device)
        self.rows = np.random.default_rng(seed).permutation(np.flatnonzero(unset.any(axis=1)))
        self.round, self.next = 0, 0  # rounds begun; the next row

    @classmethod
    def of(cls, data: RunData, *, strength: float, seed: int, device: torch.device) -> SelfTraining | None:
        """None if the setting is off or no point is unset."""
        if strength == 0 or data.unset is None:
            return None
        unset = data.unset & np.isin(np.arange(len(data.points)), data.train)[:, None]
        return cls(data, unset, strength=strength, seed=seed, device=device) if unset.any() else None

    def is_due(self, done: float) -> bool:
        """Whether a round is to begin. done: fraction of the budget used, 0..1."""
        return self._rounds(done) > self.round

    def begin(self, done: float, *, seen: int) -> Tensor:
        """The rows to predict in this round, int64. seen: images trained on so far."""
        self.round = self._rounds(done)
        count = min(len(self.rows), max(1, int(_SHARE * seen)))
        chosen = np.take(self.rows, np.arange(self.next, self.next + count), mode="wrap")
        self.next = (self.next + count) % len(self.rows)
        return torch.from_numpy(np.sort(chosen))

    def take(self, rows: Tensor, points: Tensor, spread: Tensor) -> None:
        """Store the model's predictions for rows: points [B, K, 2] and their views' deviation [B, K], px."""
        agreement = self.strength / (1 + (spread / self.pixel).square())
        self.points[rows] = points.float()
        self.weight[rows] = torch.where(self.unset[rows], agreement.float(), 0.0)

    def complete(self, rows: Tensor, points: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Labels [B, K, 2] and weights [B, K] (bool, or 0 where missing) of rows, with the model's own points added.

        Weights of the latter are negative, which marks them as no labels.
        """
        own = self.weight[rows]
        return (
            torch.where(own[..., None] > 0, self.points[rows], points),
            torch.where(own > 0, -own, weight.to(own.dtype)),
        )

    def to_json(self) -> dict[str, Any]:
        """Tensors and plain values for the saved state; only the unset points are saved."""
        values = {"points": self.points[self.unset], "weight": self.weight[self.unset]}
        return {"round": self.round, "next": self.next, **values}

    def from_json(self, saved: SavedValues) -> None:
        """Restore saved values. Raises ValueError where they do not fit."""
        self.round = saved.whole("round", most=_ROUNDS)
        self.next = saved.whole("next", most=len(self.rows) - 1)
        self.points[self.unset] = saved.tensor("points", self.points[self.unset])
        self.weight[self.unset] = saved.tensor("weight", self.weight[self.unset])

    @staticmethod
    def _rounds(done: float) -> int:
        """How many rounds have begun by then."""
        return sum(done >= _FROM + (1 - _FROM) * n / _ROUNDS for n in range(_ROUNDS))
