"""The background work of the window, in one object for all panels: trainings, searches, experiments, predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QThread, Signal

from fkp_studio.background.tasks import run_task
from fkp_studio.document.changes import Changes
from fkp_studio.document.session import Session
from fkp_studio.document.store import ProjectStore
from fkp_studio.jobs import prediction_worker as prediction
from fkp_studio.jobs.augmentation_sheet import SheetRequest
from fkp_studio.jobs.experiments import EXPERIMENT, Experiments
from fkp_studio.jobs.fills import FillMaker
from fkp_studio.jobs.label_hash import LabelWatch
from fkp_studio.jobs.prediction_worker import PredictionWorker
from fkp_studio.jobs.run_book import RunBook
from fkp_studio.jobs.searches import SEARCH, Searching
from fkp_studio.jobs.training_queue import TrainingQueue
from training.errors import UserError
from training.storage.project.project import Project
from training.storage.runs import folder as runs
from training.storage.runs.events import CheckpointSaved, Event
from training.storage.runs.new_run import write_run
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.snapshot import snapshot_project, with_schemes
from training.storage.runs.start import TRAIN


class Jobs(QObject):
    """The background work of the open project. Nothing here blocks; errors arrive as `message` or in a run's row.

    Belongs to the interface thread.
    """

    run_event = Signal(str, object)  # (run, Event), after the event was added to the run's history
    runs_changed = Signal()  # the list, a status, a shown run or a note changed
    prediction_progress = Signal(int, int)  # (done, total) faces of a run; equal when it ended
    message = Signal(str)  # a sentence for the status bar
    refused = Signal(str)  # why nothing could be trained; also a message
    sheet_drawn = Signal(object)  # the last requested Sheet of augmented faces
    sheet_failed = Signal(str)  # why it could not be drawn

    _face = Signal(object, object, int)
    _all = Signal(object, object, object)
    _sheet = Signal(object)
    _forget = Signal(object)
    _cancel = Signal()
    _close = Signal()

    def __init__(
        self,
        session: Session,
        parent: QObject | None = None,
        *,
        train_command: Sequence[str] = TRAIN,
        serve_command: Sequence[str] = prediction.SERVE,
        search_command: Sequence[str] = SEARCH,
        experiment_command: Sequence[str] = EXPERIMENT,
    ) -> None:
        super().__init__(parent)
        self.session = session
        self.book = RunBook(self)
        self.queue = TrainingQueue(self.book, self, command=train_command)
        self.searching = Searching(self, command=search_command)
        self.labels = LabelWatch(session, self)
        self.experiments = Experiments(self, command=experiment_command)
        self._closed = self._opened = False
        self._count = 0  # faces of the project
        self._thread = QThread(self)
        self._thread.setObjectName("predictions")
        self._worker = PredictionWorker(serve_command)
        self._worker.moveToThread(self._thread)
        self.fills = FillMaker(session, self)
        self.fills.message.connect(self.message)
        self._connect_worker()
        self._connect()
        self._thread.start()
        self._open()

    def _connect(self) -> None:
        self.book.happened.connect(self._on_event)
        self.book.listed.connect(self.runs_changed)
        self.book.listed.connect(self._choose_starter)
        self.book.changed.connect(lambda _name: self.runs_changed.emit())
        self.queue.changed.connect(self.runs_changed)
        self.labels.changed.connect(self.runs_changed)
        self.queue.ended.connect(self._on_ended)
        self.session.project_changed.connect(self._open)
        self.session.run_changed.connect(lambda _run: self._predict_shown())
        self.session.sample_changed.connect(lambda _id: self._predict_face())

    def _connect_worker(self) -> None:
        worker = self._worker
        self._face.connect(worker.predict_face)
        self._all.connect(worker.predict_all)
        self._sheet.connect(worker.draw_sheet)
        self._forget.connect(worker.forget)
        self._cancel.connect(worker.cancel)
        self._close.connect(worker.close)
        worker.predicted.connect(self._keep)
        worker.progress.connect(self._on_progress)
        worker.failed.connect(self._on_failed)
        worker.sheet_drawn.connect(self.sheet_drawn)
        worker.sheet_failed.connect(self.sheet_failed)

    # ---- training

    def train(self, configs: Sequence[RunConfig]) -> None:
        """Create runs with these settings, all on the current labels and split, and train them one after another."""
        store = self.session.store
        if store is None:
            self._refuse(UserError("Open a project first."))
            return
        path = store.project.path
        run_task(
            make_runs, path, tuple(configs), done=lambda made: self._train(path, made), failed=self._refuse, owner=self
        )

    def _train(self, project: Path, made: list[Run]) -> None:
        if self.book.folder is None or self.book.folder.parent != project:
            return  # another project was opened meanwhile; these runs wait on disk
        for run in made:
            self.queue.add(run)
        self.book.refresh()

    def resume(self, name: str) -> None:
        """Resume a run that was stopped, interrupted or failed, or start a waiting one."""
        info = self.book.info(name)
        if info is not None:
            self.queue.add(info.run, resume=info.status != "queued")

    def stop(self, name: str) -> None:
        """Ask a run to stop, keeping its best model; a waiting one is removed from the queue."""
        self.queue.stop(name)

    def stop_training(self) -> None:
        """Stop the experiment and all trainings in progress; their best models are kept."""
        self.experiments.stop()
        for name in self.queue.training():
            self.queue.stop(name)

    def stop_all(self) -> None:
        """Stop all trainings and discard waiting runs, so that nothing restarts by itself."""
        self.experiments.stop()
        self.searching.stop_all()
        for name in self.queue.waiting():
            info = self.book.info(name)
            self.queue.remove(name)
            if info is not None and info.status == "queued":
                self.discard(name)
        for name in self.queue.training():
            self.queue.stop(name)

    def discard(self, name: str) -> None:
        """Delete a run with its model and predictions; ask the user before. Refused while it is training."""
        info, store = self.book.info(name), self.session.store
        if info is None or info.is_starter or store is None:
            return
        if name in self.queue.training():
            self.message.emit(f"{name} is still training; stop it first.")
            return
        self.queue.remove(name)
        if self.session.run == name:
            self.session.set_run("")
        run_task(runs.discard_run, info.run, done=lambda _: self._discarded(store, name), failed=self._say, owner=self)

    def _discarded(self, store: ProjectStore, name: str) -> None:
        if store is self.session.store:
            store.columns.delete(name)
            self.book.forget(name)

    def status(self, name: str) -> str:
        """queued, waiting (not in the queue), starting, running, stopping, done, stopped, failed or interrupted."""
        info = self.book.info(name)
        if info is not None:
            return self.queue.status(info)
        return "starting" if name in self.queue.training() else "queued"

    def is_stale(self, name: str) -> bool:
        """Whether labels changed since the run was made."""
        info = self.book.info(name)
        return info is not None and bool(self.labels.hash) and info.is_stale(self.labels.hash)

    # ---- predictions

    def predict(self, run: str, ids: np.ndarray | None = None) -> None:
        """Predict these faces with a run's model in the background; None: all without a prediction by it."""
        info, store = self.book.info(run), self.session.store
        if info is None or store is None:
            return
        if not info.has_model:
            self.message.emit(f"{run} has no model yet; predictions come after its first epoch.")
            return
        self._all.emit(store.project.path, info.run, ids)

    def cancel_prediction(self) -> None:
        """Cancel the prediction of all faces; finished ones are kept."""
        self._cancel.emit()

    def draw_sheet(self, ids: Sequence[int], config: RunConfig, *, seed: int) -> None:
        """Request these faces as augmented in training; emits `sheet_drawn` or `sheet_failed`."""
        store = self.session.store
        if store is not None:
            self._sheet.emit(SheetRequest(store.project.path, [int(i) for i in ids], config, seed))

    def _predict_shown(self) -> None:
        """Predict the current face at once, and all others in the background unless the run is training."""
        run = self.session.run
        self._predict_face()
        self._cancel.emit()
        if run and run not in self.queue.training():
            info = self.book.info(run)
            if info is not None and info.has_model:
                self.predict(run)

    def _predict_face(self) -> None:
        info, store = self.book.info(self.session.run), self.session.store
        if info is not None and store is not None and self.session.sample_id >= 0:
            self._face.emit(store.project.path, info.run, self.session.sample_id)

    def _keep(self, run: str, ids: np.ndarray, points: np.ndarray, confidences: np.ndarray) -> None:
        store = self.session.store
        if store is None or self.book.info(run) is None:
            return  # the project was closed or the run discarded meanwhile
        store.columns.write(run, ids, points, confidences, source=self)

    # ---- the window's end

    def close(self) -> None:
        """Shut down before the window closes: trainings continue without it, predictions end."""
        if self._closed:
            return
        self._closed = True
        self.experiments.leave()
        self.searching.leave()
        self.queue.leave()
        self._close.emit()
        self._thread.wait(5000)

    # ---- inside

    def _open(self) -> None:
        self.experiments.leave()
        self.queue.leave()
        self._cancel.emit()
        store = self.session.store
        self._opened = store is not None
        self.book.set_folder(None if store is None else store.project.runs_dir, None if store is None else store.schema)
        self.searching.set_project(None if store is None else store.project.path)
        if store is not None:
            self.experiments.find(store.project.path)
            store.changed.connect(self._on_changed)
            self._count = len(store)

    def _on_changed(self, changes: Changes) -> None:
        """Predict faces again whose crop changed, and faces added by an import."""
        store = self.session.store
        count, self._count = self._count, 0 if store is None else len(store)
        if changes.ids is None and self._count > count:
            self._predict_shown()
        elif changes.samples and changes.ids is not None:
            self._forget.emit(changes.ids)
            if self.session.sample_id in changes.ids:
                self._predict_face()

    def _choose_starter(self) -> None:
        """Choose the starter in a project without runs, once after opening."""
        infos = self.book.infos()
        if self._opened and infos:
            self._opened = False
            if not self.session.run and infos[-1].is_starter:
                self.session.set_run(infos[-1].name)

    def _on_event(self, name: str, event: Event) -> None:
        if isinstance(event, CheckpointSaved) and name == self.session.run:
            self._predict_face()
        self.run_event.emit(name, event)

    def _on_ended(self, name: str) -> None:
        if name == self.session.run:
            self._predict_shown()

    def _on_progress(self, _run: str, done: int, total: int) -> None:
        self.prediction_progress.emit(done, total)
        if done == total:
            self.fills.look()

    def _on_failed(self, run: str, sentence: str) -> None:
        self.message.emit(f"{run}: {sentence}")

    def _refuse(self, error: Exception) -> None:
        self.refused.emit(str(error))
        self._say(error)

    def _say(self, error: Exception) -> None:
        self.message.emit(str(error))


def make_runs(project: Path, configs: Sequence[RunConfig]) -> list[Run]:
    """Create run folders for these settings, all with the same snapshot of labels and split."""
    with Project.open(project, read_only=True) as opened:
        snapshot = snapshot_project(opened)
        return [write_run(opened.runs_dir, config, with_schemes(opened, snapshot, config)) for config in configs]
