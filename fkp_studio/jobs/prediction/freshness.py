"""Tracks which stored predictions are by a run's current model; training and resuming replace the model."""

from __future__ import annotations

import numpy as np

from training.storage.project.identity import Address
from training.storage.project.project import Project
from training.storage.project.tables.predictions import predicted_ids
from training.storage.runs.model.prediction_stamp import model_stamp, stored_stamp
from training.storage.runs.run import Run


class Freshness:
    """Use it only in the thread it was made in. Keeps a read-only connection to the last project."""

    def __init__(self) -> None:
        self._project: Project | None = None
        # run -> model stamp, bool by id: whether this window has predicted it by that model
        self._done: dict[Run, tuple[str, np.ndarray]] = {}

    def needed(self, project: Address, run: Run, ids: np.ndarray | None) -> np.ndarray:
        """Those of `ids` (None: all samples not removed) without a prediction by the run's current model.

        Empty while the run has no model. Raises UserError if the project can't be read.
        """
        stamp = model_stamp(run)
        if not stamp:
            return np.empty(0, np.int64)
        opened = self._open(project)
        wanted = opened.kept_ids() if ids is None else ids
        there = _grown(self._by(run, stamp), wanted)
        if stamp == stored_stamp(run):
            stored = _stored(opened, run.name, wanted)
            there[stored[stored < len(there)]] = True
        return wanted[~there[wanted]]

    def note(self, run: Run, ids: np.ndarray, *, model: str) -> None:
        """Note that these samples were predicted by the model with this stamp, which may have been replaced by now."""
        present = model_stamp(run)
        done = self._by(run, present)
        if len(ids) and int(ids.max()) >= len(done):
            done = _grown(done, 2 * ids)
        done[ids] = model == present
        self._done[run] = present, done

    def forget(self, ids: np.ndarray) -> None:
        """Mark the predictions of these samples as outdated, because their crops changed."""
        for _, predicted in self._done.values():
            predicted[ids[ids < len(predicted)]] = False

    def close(self) -> None:
        """Close the connection."""
        if self._project is not None:
            self._project.close()
            self._project = None

    def _by(self, run: Run, model: str) -> np.ndarray:
        """The table of this model; a new one for another model, even a former one: its predictions were replaced."""
        known, done = self._done.get(run, ("", np.zeros(0, bool)))
        return done if known == model else np.zeros(0, bool)

    def _open(self, path: Address) -> Project:
        if self._project is None or self._project.address != path:
            self.close()
            self._project = Project.open(path, read_only=True)
        return self._project


def _grown(table: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """A copy of a table indexed by id, extended to hold these ids."""
    found = np.zeros(max(len(table), int(ids.max(initial=0)) + 1), bool)
    found[: len(table)] = table
    return found


def _stored(project: Project, run: str, wanted: np.ndarray) -> np.ndarray:
    if len(wanted) > 1:
        return predicted_ids(project.database, run)
    return wanted[project.predictions(run, wanted).present.any(axis=1)]
