"""Which predictions of a run are there and by its present model: a run in training, or resumed, gets better models."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.storage.project.project import Project
from training.storage.runs.model.stored_predictions import model_stamp, stored_stamp


class Freshness:
    """Answers in the thread it was made in; keeps a reading connection to the project that was asked for last."""

    def __init__(self) -> None:
        self._project: Project | None = None
        self._done: dict[
            Path, tuple[str, np.ndarray]
        ] = {}  # run -> model, bool by id: what it has predicted in this window

    def needed(self, project: Path, run_dir: Path, ids: np.ndarray | None) -> np.ndarray:
        """Those of `ids` (None: of all samples that nobody has removed) without a prediction by the run's present model.

        None at all while the run has no model. Raises UserError where the project can't be read.
        """
        stamp = model_stamp(run_dir)
        if not stamp:
            return np.empty(0, np.int64)
        opened = self._open(project)
        wanted = opened.kept_ids() if ids is None else ids
        there = _grown(self._by(run_dir, stamp), wanted)
        if stamp == stored_stamp(run_dir):
            stored = _stored(opened, run_dir.name, wanted)
            there[stored[stored < len(there)]] = True
        return wanted[~there[wanted]]

    def note(self, run_dir: Path, ids: np.ndarray, *, model: str) -> None:
        """These samples have been predicted by the model of this stamp, which need not be the present one any more."""
        present = model_stamp(run_dir)
        done = self._by(run_dir, present)
        if len(ids) and int(ids.max()) >= len(done):
            done = _grown(done, 2 * ids)
        done[ids] = model == present
        self._done[run_dir] = present, done

    def forget(self, ids: np.ndarray) -> None:
        """These samples show something else now: what was predicted of them is of no use."""
        for _, predicted in self._done.values():
            predicted[ids[ids < len(predicted)]] = False

    def close(self) -> None:
        """Let go of the project."""
        if self._project is not None:
            self._project.close()
            self._project = None

    def _by(self, run_dir: Path, model: str) -> np.ndarray:
        """The table of this model; that of another is of no use any more: a model that comes back, as when a fit is taken away,
        finds the predictions of the one that was there meanwhile."""
        known, done = self._done.get(run_dir, ("", np.zeros(0, bool)))
        return done if known == model else np.zeros(0, bool)

    def _open(self, path: Path) -> Project:
        if self._project is None or self._project.path != path.absolute():
            self.close()
            self._project = Project.open(path, read_only=True)
        return self._project


def _grown(table: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """A copy of a table by id, long enough for these ids."""
    found = np.zeros(max(len(table), int(ids.max(initial=0)) + 1), bool)
    found[: len(table)] = table
    return found


def _stored(project: Project, run: str, wanted: np.ndarray) -> np.ndarray:
    if len(wanted) > 1:
        return project.predicted_ids(run)
    return wanted[project.predictions(run, wanted).present.any(axis=1)]
