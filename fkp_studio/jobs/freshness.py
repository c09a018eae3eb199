"""Which predictions of a run are there and by its present model: a run in training, or resumed, gets better models."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.predicted import model_stamp, note_predicted, stored_stamp
from training.project.project import Project


class Freshness:
    """Answers in the thread it was made in; keeps a reading connection to the project that was asked for last."""

    def __init__(self) -> None:
        self._project: Project | None = None
        self._done: dict[
            tuple[Path, str], np.ndarray
        ] = {}  # (run, model) -> bool by id: predicted since the window started

    def needed(self, project: Path, run_dir: Path, ids: np.ndarray | None) -> np.ndarray:
        """Those of `ids` (None: of all samples that nobody has removed) without a prediction by the run's present model.

        None at all while the run has no model. Raises UserError where the project can't be read.
        """
        stamp = model_stamp(run_dir)
        if not stamp:
            return np.empty(0, np.int64)
        opened = self._open(project)
        wanted = opened.kept_ids() if ids is None else ids
        there = _grown(self._done.get((run_dir, stamp), np.zeros(0, bool)), wanted)
        if stamp == stored_stamp(run_dir):
            stored = _stored(opened, run_dir.name, wanted)
            there[stored[stored < len(there)]] = True
        return wanted[~there[wanted]]

    def note(self, run_dir: Path, ids: np.ndarray) -> None:
        """These samples have been predicted by the present model."""
        run = run_dir, model_stamp(run_dir)
        done = self._done.get(run, np.zeros(0, bool))
        if len(ids) and int(ids.max()) >= len(done):
            self._done[run] = done = _grown(done, 2 * ids)
        done[ids] = True

    def forget(self, ids: np.ndarray) -> None:
        """These samples show something else now: what was predicted of them is of no use."""
        for predicted in self._done.values():
            predicted[ids[ids < len(predicted)]] = False

    def all_done(self, run_dir: Path) -> None:
        """Every sample has a prediction by the present model: remember that beside the run."""
        note_predicted(run_dir, model_stamp(run_dir))

    def close(self) -> None:
        """Let go of the project."""
        if self._project is not None:
            self._project.close()
            self._project = None

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
