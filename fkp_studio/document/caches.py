"""What the store keeps of all samples: their index, and per run the mean errors and confidences for sorting."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, Signal

from fkp_studio.background.project_thread import Background
from fkp_studio.document.changes import Changes
from training.storage.project.journal import read_step_cut
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import SampleIndex, missing_counts, read_rows, review_counts
from training.storage.project.tables.predictions import delete_predictions, run_columns

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


class RunColumns(QObject):
    """Reads the columns of runs in the background and keeps them up to date; writes and deletes predictions."""

    changed = Signal(object)  # Changes
    failed = Signal(str)

    def __init__(self, project: Project, background: Background, parent: QObject) -> None:
        super().__init__(parent)
        self._project, self._background = project, background
        self._cache = RunCache()

    def of(self, run: str) -> Columns:
        """Mean error to the labels (px) and mean confidence, float32 [N] each, NaN where unknown.

        The first call computes them in the background and returns NaNs; `changed` with `predictions` is emitted when
        they are ready. The arrays are the cache's own, updated by each edit.
        """
        known = self._cache.get(run)
        if known is not None:
            return known
        if self._cache.begin(run):
            self._background.run(
                lambda project: _read_columns(project, run),
                done=lambda columns: self._got(run, columns),
                failed=lambda error: self._lost(run, error),
                reads=True,
            )
        nothing = np.full(len(self._project), np.nan, np.float32)
        return nothing, nothing.copy()

    def _got(self, run: str, columns: Columns) -> None:
        edited = self._cache.finish(run, columns)
        if edited is not None:
            self._cache.update(run, edited, _read_columns(self._project, run, edited))
            self.changed.emit(Changes(predictions=True))

    def _lost(self, run: str, error: Exception) -> None:
        self._cache.finish(run, None)
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.failed.emit(str(error))

    def write(
        self, run: str, ids: np.ndarray, points: np.ndarray, confidences: np.ndarray, *, source: object | None = None
    ) -> None:
        """Write a run's predictions (points [B, K, 2] px, confidences [B, K]) in the background; emits `changed`."""
        wanted = np.array(ids, np.int64)

        def work(project: Project) -> Columns:
            project.write_predictions(run, wanted, points, confidences)
            return _read_columns(project, run, wanted)

        def done(columns: Columns) -> None:
            self._cache.edited(wanted)
            self._cache.update(run, wanted, columns)
            self.changed.emit(Changes(wanted, predictions=True, source=source))

        self._background.run(work, done=done, failed=self._fail)

    def delete(self, run: str) -> None:
        """Delete a run's predictions, as when the run is discarded. Accepted points stay."""

        def done(_: None) -> None:
            self.clear()
            self.changed.emit(Changes(predictions=True))

        self._background.run(lambda project: delete_predictions(project.database, run), done=done, failed=self._fail)

    def labels_changed(self, ids: np.ndarray) -> None:
        """Compute the values of these few samples again."""
        self._cache.edited(ids)
        for run in self._cache.runs():
            self._cache.update(run, ids, _read_columns(self._project, run, ids))

    def clear(self) -> None:
        """Drop everything, because labels changed everywhere or samples were added."""
        self._cache.clear()


def _read_columns(project: Project, run: str, ids: np.ndarray | None = None) -> Columns:
    return run_columns(project.database, run, len(project.schema), ids)


def refresh(index: SampleIndex, project: Project, ids: np.ndarray, *, step: int = 0) -> bool:
    """Update the label counts and splits of these samples in place.

    step: the journal step done or undone. Returns whether it changed a face's crop and so its image.
    """
    labels = project.labels(ids)
    index.missing[ids - 1] = missing_counts(labels)
    index.to_review[ids - 1] = review_counts(labels)
    index.splits[ids - 1] = project.splits(ids)
    if not step or read_step_cut(project.database, step) is None:
        return False
    for row in (ids - 1).tolist():
        small = read_rows(project.database, row, row + 1)[0]
        for name in ("widths", "heights", "flagged"):
            getattr(index, name)[row] = small[name]
    return True
