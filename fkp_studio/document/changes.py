"""The description of a change that the store emits after each write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MANY = 256  # samples


@dataclass(frozen=True)
class Changes:
    """What changed, for which samples (`ids` None: any), and its source (a view may skip its own edits)."""

    ids: np.ndarray | None = None
    labels: bool = False
    predictions: bool = False
    samples: bool = False
    runs: bool = False
    source: object | None = None

    def touches(self, sample_id: int) -> bool:
        """Whether this sample may have changed."""
        return self.ids is None or bool((self.ids == sample_id).any())

    def may_touch(self, ids: Sequence[int]) -> bool:
        """Whether one of these samples may have changed; always true if more than MANY samples did."""
        return self.ids is None or len(self.ids) > MANY or bool(np.isin(ids, self.ids).any())


EVERYTHING = Changes(labels=True, predictions=True, samples=True, runs=True)
