"""The background work of the window, in one object for all panels: trainings, searches, experiments, predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal, Slot

from fkp_studio.background.tasks import run_task
from fkp_studio.document.session import Session
from fkp_studio.document.store import ProjectStore
from fkp_studio.jobs.experiments import EXPERIMENT, Experiments
from fkp_studio.jobs.label_hash import LabelWatch
from fkp_studio.jobs.prediction.fills import FillMaker
from fkp_studio.jobs.prediction.predictions import Predictions
from fkp_studio.jobs.prediction.worker import SERVE
from fkp_studio.jobs.run_book import RunBook
from fkp_studio.jobs.searches import SEARCH, Searching
from fkp_studio.jobs.training_queue import TrainingQueue
from training.errors import UserError
from training.storage.project.identity import Place
from training.storage.project.project import Project
from training.storage.runs.folder import discard_run
from training.storage.runs.inputs.snapshot import snapshot_project, with_schemes
from training.storage.runs.new_run import write_run
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.start import TRAIN


class Jobs(QObject):
    """The background work of the open project. Nothing here blocks; errors arrive as `message` or in a run's row.

    Belongs to the interface thread.
    """

    runs_changed = Signal()  # the list, a status, a shown run or a note changed
    message = Signal(str)  # a sentence for the status bar
    refused = Signal(str)  # why nothing could be trained; also a message

    def __init__(
        self,
        session: Session,
        parent: QObject | None = None,
        *,
        train_command: Sequence[str] = TRAIN,
        serve_command: Sequence[str] = SERVE,
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
        self.fills = FillMaker(session, self)
        self.predictions = Predictions(session, self.book, queue=self.queue, parent=self, command=serve_command)
        self._closed = False
        self._connect()
        self._open()

    def _connect(self) -> None:
        self.book.listed.connect(self.runs_changed)
        self.book.changed.connect(lambda _name: self.runs_changed.emit())
        self.queue.changed.connect(self.runs_changed)
        self.queue.failed.connect(self.message)
        self.labels.changed.connect(self.runs_changed)
        self.session.project_changed.connect(self._open)
        self.predictions.progress.connect(self._on_predicted)

    # ---- training

    def train(self, configs: Sequence[RunConfig]) -> None:
        """Create runs with these settings, all on the current labels and split, and train them one after another."""
        store = self.session.store
        if store is None:
            self._refuse(UserError("Open a project first."))
            return
        address = store.project.address
        run_task(
            make_runs,
            address,
            tuple(configs),
            done=lambda made: self._train(address.path, made),
            failed=self._refuse,
            owner=self,
        )

    def _train(self, project: Path, made: list[Run]) -> None:
        if self.book.folder is None or self.book.folder.parent != project:
            return  # another project was opened meanwhile; these runs wait on disk
        self.queue.add(*made)
        self.book.refresh()

    def resume(self, name: str) -> None:
        """Resume a run that was stopped, interrupted or failed, or start a waiting one."""
        info = self.book.info(name)
        if info is not None:
            self.queue.add(info.run, resume=info.status != "queued")

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
        run_task(discard_run, info.run, done=lambda _: self._discarded(store, name), failed=self._say, owner=self)

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

    # ---- the window's end

    def close(self) -> None:
        """Shut down before the window closes: trainings continue without it, predictions end."""
        if self._closed:
            return
        self._closed = True
        self.experiments.leave()
        self.searching.leave()
        self.queue.close()
        self.predictions.close()

    # ---- inside

    def _open(self) -> None:
        self.experiments.leave()
        self.queue.leave()
        store = self.session.store
        if store is not None:
            store.whereabouts.changed.connect(self._on_place_changed, Qt.ConnectionType.UniqueConnection)
            if store.whereabouts.lost is not None:
                store = None  # what is read and started by path rests until the project is found
        self.book.set_folder(None if store is None else store.project.runs_dir, None if store is None else store.schema)
        self.searching.set_project(None if store is None else store.project.path)
        if store is not None:
            self.experiments.find(store.project.path)

    @Slot()
    def _on_place_changed(self) -> None:
        self.predictions.cancel()
        self._open()

    def _on_predicted(self, done: int, total: int) -> None:
        if done == total:
            self.fills.look()

    def _refuse(self, error: Exception) -> None:
        self.refused.emit(str(error))
        self._say(error)

    def _say(self, error: Exception) -> None:
        self.message.emit(str(error))


def make_runs(project: Place, configs: Sequence[RunConfig]) -> list[Run]:
    """Create runs with these settings, all with the same snapshot of labels and split."""
    with Project.open(project, read_only=True) as opened:
        snapshot = snapshot_project(opened)
        return [write_run(opened.runs_dir, config, with_schemes(opened, snapshot, config)) for config in configs]
