"""Makes the chosen run's fill model in the background if it has none, and reports a damaged one."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from fkp_studio.background.tasks import run_task
from fkp_studio.document.changes import Changes
from fkp_studio.document.session import Session
from training.assist.filling.fill_of_run import make_fill, run_fill
from training.storage.project.identity import Place
from training.storage.project.project import Project
from training.storage.runs.run import Run


class FillMaker(QObject):
    """Checks the fill model whenever a run is chosen, and on request, after new predictions."""

    message = Signal(str)  # a sentence for the status bar

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._looking = ""  # the run being checked
        session.run_changed.connect(lambda _run: self.look())

    def look(self) -> None:
        """Make the chosen run's fill model if it has none and val is predicted."""
        store, run = self._session.store, self._session.run
        if store is None or not run or run == self._looking:
            return
        self._looking = run

        def done(made: bool) -> None:
            if made and store is self._session.store:
                store.changed.emit(Changes(predictions=True, source=self))

        run_task(_make, store.project.address, run, done=done, failed=self._on_failed, ended=self._on_ended, owner=self)

    def _on_failed(self, error: Exception) -> None:
        self.message.emit(str(error))

    def _on_ended(self) -> None:
        looked, self._looking = self._looking, ""
        if self._session.run != looked:
            self.look()


def _make(path: Place, run: str) -> bool:
    """Make the fill model unless it exists; whether it was made now."""
    with Project.open(path, read_only=True) as project:
        own = Run(project.runs_dir / run)
        if run_fill(own) is not None:
            return False
        make_fill(project, own)
        return run_fill(own) is not None
