"""Error and confidence of every sample, per run, kept for sorting the gallery."""

from __future__ import annotations

import numpy as np

Columns = tuple[np.ndarray, np.ndarray]


class RunCache:
    """float32 [N] mean error (px) and mean confidence per run; NaN where there is none. Interface thread only.

    A run is asked for (`begin`), computed elsewhere, and handed in (`finish`). What was edited meanwhile comes back from
    `finish`, to be computed again; after `clear` what was under way is not taken any more.
    """

    def __init__(self) -> None:
        self._columns: dict[str, Columns] = {}
        self._edited: dict[str, set[int]] = {}  # of runs under way

    def get(self, run: str) -> Columns | None:
        """The columns, where they are known."""
        return self._columns.get(run)

    def runs(self) -> list[str]:
        """The runs that are known."""
        return list(self._columns)

    def begin(self, run: str) -> bool:
        """Note that the columns of `run` are being computed; False: they are already."""
        if run in self._edited:
            return False
        self._edited[run] = set()
        return True

    def finish(self, run: str, columns: Columns | None) -> np.ndarray | None:
        """Take the columns (None: it failed). Returns the ids edited meanwhile; None where they were not taken."""
        edited = self._edited.pop(run, None)
        if columns is None or edited is None:
            return None
        self._columns[run] = columns
        return np.array(sorted(edited), np.int64)

    def edited(self, ids: np.ndarray) -> None:
        """Labels or predictions of these samples changed."""
        for under_way in self._edited.values():
            under_way.update(ids.tolist())

    def update(self, run: str, ids: np.ndarray, columns: Columns) -> None:
        """New values of some samples of a known run."""
        known = self._columns.get(run)
        if known is not None:
            for column, values in zip(known, columns, strict=True):
                column[ids - 1] = values

    def clear(self) -> None:
        """Forget all: labels changed everywhere, or samples came."""
        self._columns.clear()
        self._edited.clear()
