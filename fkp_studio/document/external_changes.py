"""Notices that another program wrote to the open project, reads it again, and keeps the write-ahead log short."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from fkp_studio.background.project_thread import Background
from fkp_studio.document.place_watch import PlaceWatch
from training.faces.labels.schema import KeypointSchema
from training.storage.project.journal import State, Step, journal_state, read_steps
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import SampleIndex

FOLD_EDITS = 100  # edits between checkpoints of the write-ahead log, on the worker thread
LOOK_MS = 1000  # between checks whether another program wrote


class ExternalChanges(QObject):
    """Looks every LOOK_MS whether the project is in another state than this program left it in."""

    reloaded = Signal(object, object, object)  # SampleIndex, list[Step], KeypointSchema as they are on disk
    failed = Signal(str)

    def __init__(
        self,
        project: Project,
        background: Background,
        ours: Callable[[], State],
        place: PlaceWatch,
        *,
        parent: QObject,
    ) -> None:
        """ours: the state of the journal if no other program wrote."""
        super().__init__(parent)
        self._place = place
        self._project, self._background, self._ours = project, background, ours
        self._edits = self._folded = 0  # by this program: counted to detect outdated reads
        self._reading = self._closed = False
        self._version = project.database.data_version()
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def close(self) -> None:
        """Stop looking."""
        self._closed = True
        self._timer.stop()

    def count_edit(self) -> None:
        """Note an edit of this program."""
        self._edits += 1

    def look(self) -> None:
        """Reload if another program wrote. Does nothing while the worker thread is busy or the project is lost."""
        if self._closed or self._background.pending or self._place.lost:
            return
        database = self._project.database
        if self._edits - self._folded >= FOLD_EDITS:
            self._folded = self._edits
            self._background.run(lambda project: project.database.fold(), done=lambda _: None, failed=self._fail)
        version, worked = database.data_version(), self._background.take_worked()
        if version != self._version:
            self._version = version
            if not worked or journal_state(database) != self._ours():
                self.reload()

    def reload(self) -> None:
        """Read everything again in the background, then emit `reloaded`."""
        if self._reading or self._closed:
            return
        self._reading, edits = True, self._edits
        self._background.run(
            _read_all,
            done=lambda found: self._read(*found, edits=edits),
            failed=self._not_read,
            reads=True,
        )

    def _read(self, index: SampleIndex, steps: list[Step], schema: KeypointSchema, *, edits: int) -> None:
        self._reading = False
        if edits != self._edits:
            self.reload()
        else:
            self._place.hold()
            self.reloaded.emit(index, steps, schema)

    def _not_read(self, error: Exception) -> None:
        self._reading = False
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.failed.emit(str(error))


def _read_all(project: Project) -> tuple[SampleIndex, list[Step], KeypointSchema]:
    with project.database.one_state():
        return project.index(), read_steps(project.database), project.schema
