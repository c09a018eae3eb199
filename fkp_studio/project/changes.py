"""What the store broadcasts after each write."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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


EVERYTHING = Changes(labels=True, predictions=True, samples=True, runs=True)
