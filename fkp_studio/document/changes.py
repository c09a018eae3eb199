"""What the store broadcasts after each write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MANY = 256  # samples


@dataclass(frozen=True)
class Changes:
    """What changed, of which samples (`ids` None: of any), and who started it (a view may skip its own edits)."""

    ids: np.ndarray | None = None
    labels: bool = False
    predictions: bool = False
    samples: bool = False
    runs: bool = False
    source: object | None = None

    def touches(self, sample_id: int) -> bool:
        """Whether this sample is among those that changed."""
        return self.ids is None or bool((self.ids == sample_id).any())

    def may_touch(self, ids: Sequence[int]) -> bool:
        """Whether one of these samples is among those that changed; where very many did, that is not looked up."""
        return self.ids is None or len(self.ids) > MANY or bool(np.isin(ids, self.ids).any())


EVERYTHING = Changes(labels=True, predictions=True, samples=True, runs=True)
