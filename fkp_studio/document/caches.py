"""The cache of mean error and confidence per sample and run, for sorting the gallery."""

from __future__ import annotations

import numpy as np

Columns = tuple[np.ndarray, np.ndarray]


class RunCache:
    """float32 [N] mean error (px) and mean confidence per run; NaN where unknown. Interface thread only.

    A run's columns are begun (`begin`), computed elsewhere and stored (`finish`). `finish` returns the samples edited
    meanwhile, to be computed again; after `clear` pending results are rejected.
    """

    def __init__(self) -> None:
        self._columns: dict[str, Columns] = {}
        self._edited: dict[str, set[int]] = {}  # by pending run

    def get(self, run: str) -> Columns | None:
        """The run's columns; None if unknown."""
        return self._columns.get(run)

    def runs(self) -> list[str]:
        """The runs whose columns are known."""
        return list(self._columns)

    def begin(self, run: str) -> bool:
        """Note that the columns of `run` are being computed; False if they already are."""
        if run in self._edited:
            return False
        self._edited[run] = set()
        return True

    def finish(self, run: str, columns: Columns | None) -> np.ndarray | None:
        """Store the columns (None: it failed). Returns the ids edited meanwhile; None if the columns were rejected."""
        edited = self._edited.pop(run, None)
        if columns is None or edited is None:
            return None
        self._columns[run] = columns
        return np.array(sorted(edited), np.int64)

    def edited(self, ids: np.ndarray) -> None:
        """Note that labels or predictions of these samples changed."""
        for under_way in self._edited.values():
            under_way.update(ids.tolist())

    def update(self, run: str, ids: np.ndarray, columns: Columns) -> None:
        """Set the values of these samples for a run; ignored for an unknown run."""
        known = self._columns.get(run)
        if known is not None:
            for column, values in zip(known, columns, strict=True):
                column[ids - 1] = values

    def clear(self) -> None:
        """Drop everything, because labels changed everywhere or samples were added."""
        self._columns.clear()
        self._edited.clear()
