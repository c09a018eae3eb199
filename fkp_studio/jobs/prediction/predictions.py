"""Predictions of the chosen run: the current face at once, all others in the background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QObject, QThread, Signal

from fkp_studio.document.changes import Changes
from fkp_studio.document.session import Session
from fkp_studio.jobs.prediction.augmentation_preview import SheetRequest
from fkp_studio.jobs.prediction.worker import SERVE, PredictionWorker
from fkp_studio.jobs.run_book import RunBook
from fkp_studio.jobs.training_queue import TrainingQueue
from training.storage.runs.events import CheckpointSaved, Event
from training.storage.runs.settings.config import RunConfig


class Predictions(QObject):
    """Follows the session and the runs, and stores what the worker, which lives in a thread of its own, predicts.

    Belongs to the interface thread.
    """

    progress = Signal(int, int)  # (done, total) faces of a run; equal when it ended
    message = Signal(str)  # a sentence for the status bar
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
        book: RunBook,
        *,
        queue: TrainingQueue,
        parent: QObject,
        command: Sequence[str] = SERVE,
    ) -> None:
        super().__init__(parent)
        self._session, self._book, self._queue = session, book, queue
        self._opened = False  # a project was opened whose runs are not listed yet
        self._count = 0  # faces of the project
        self._thread = QThread(self)
        self._thread.setObjectName("predictions")
        self._worker = PredictionWorker(command)
        self._worker.moveToThread(self._thread)
        self._connect_worker()
        self._connect()
        self._thread.start()
        self._on_project_changed()

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

    def _connect(self) -> None:
        self._book.happened.connect(self._on_event)
        self._book.listed.connect(self._choose_starter)
        self._queue.ended.connect(self._on_ended)
        self._session.project_changed.connect(self._on_project_changed)
        self._session.run_changed.connect(self._predict_shown)
        self._session.sample_changed.connect(self._predict_face)

    # ---- requests

    def predict(self, run: str, ids: np.ndarray | None = None) -> None:
        """Predict these faces with a run's model in the background; None: all without a prediction by it."""
        info, store = self._book.info(run), self._session.store
        if info is None or store is None:
            return
        if not info.has_model:
            self.message.emit(f"{run} has no model yet; predictions come after its first epoch.")
            return
        self._all.emit(store.project.address, info.run, ids)

    def cancel(self) -> None:
        """Cancel the prediction of all faces; finished ones are kept."""
        self._cancel.emit()

    def draw_sheet(self, ids: Sequence[int], config: RunConfig, *, seed: int) -> None:
        """Request these faces as augmented in training; emits `sheet_drawn` or `sheet_failed`."""
        store = self._session.store
        if store is not None:
            self._sheet.emit(SheetRequest(store.project.address, [int(i) for i in ids], config, seed))

    def close(self) -> None:
        """End the worker and its thread, before the window closes."""
        self._close.emit()
        self._thread.wait(5000)

    # ---- what calls for a prediction

    def _predict_shown(self) -> None:
        """Predict the current face at once, and all others in the background unless the run is training."""
        run = self._session.run
        self._predict_face()
        self._cancel.emit()
        if run and run not in self._queue.training():
            info = self._book.info(run)
            if info is not None and info.has_model:
                self.predict(run)

    def _predict_face(self) -> None:
        info, store = self._book.info(self._session.run), self._session.store
        if info is not None and store is not None and self._session.sample_id >= 0:
            self._face.emit(store.project.address, info.run, self._session.sample_id)

    def _on_project_changed(self) -> None:
        self._cancel.emit()
        store = self._session.store
        self._opened = store is not None
        if store is not None:
            store.changed.connect(self._on_changed)
            self._count = len(store)

    def _on_changed(self, changes: Changes) -> None:
        """Predict faces again whose crop changed, and faces added by an import."""
        store = self._session.store
        count, self._count = self._count, 0 if store is None else len(store)
        if changes.ids is None and self._count > count:
            self._predict_shown()
        elif changes.samples and changes.ids is not None:
            self._forget.emit(changes.ids)
            if self._session.sample_id in changes.ids:
                self._predict_face()

    def _choose_starter(self) -> None:
        """Choose the starter in a project without runs, once after opening."""
        infos = self._book.infos()
        if self._opened and infos:
            self._opened = False
            if not self._session.run and infos[-1].is_starter:
                self._session.set_run(infos[-1].name)

    def _on_event(self, name: str, event: Event) -> None:
        if isinstance(event, CheckpointSaved) and name == self._session.run:
            self._predict_face()

    def _on_ended(self, name: str) -> None:
        if name == self._session.run:
            self._predict_shown()

    # ---- what the worker reports

    def _keep(self, run: str, ids: np.ndarray, points: np.ndarray, confidences: np.ndarray) -> None:
        store = self._session.store
        if store is None or self._book.info(run) is None:
            return  # the project was closed or the run discarded meanwhile
        store.columns.write(run, ids, points, confidences, source=self)

    def _on_progress(self, _run: str, done: int, total: int) -> None:
        self.progress.emit(done, total)

    def _on_failed(self, run: str, sentence: str) -> None:
        self.message.emit(f"{run}: {sentence}")
