"""ProjectStore, the window's only access to the project: reads, edits, undo, and change notification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from fkp_studio.background.project_thread import Background
from fkp_studio.document.caches import RunColumns, refresh
from fkp_studio.document.changes import EVERYTHING, Changes
from fkp_studio.document.edits import STATE_TEXTS, Nudges, placed, with_state
from fkp_studio.document.external_changes import ExternalChanges
from fkp_studio.document.flushing import Flushing
from fkp_studio.document.journal_stack import JournalStack, JournalStep, move
from fkp_studio.document.large_edits import LargeEdits
from fkp_studio.document.place_watch import PlaceWatch
from training.errors import UserError
from training.faces.labels.labels import Labels, PointState
from training.faces.labels.schema import KeypointSchema
from training.storage.project.edits.change import Change, amend_labels, change_labels
from training.storage.project.edits.step import Edited
from training.storage.project.journal import State, Step, is_newest, oldest_step, read_steps
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import SampleIndex
from training.storage.project.tables.predictions import Predictions
from training.storage.project.tables.samples import Sample

BULK = 256  # edits of more samples are written on the worker thread
WAIT_MS = 250  # how long the window waits while another program writes


class ProjectStore(QObject):
    """The open project in the interface thread. It owns the project and closes it.

    An edit is one transaction and one step of the journal; when the method returns it outlives the program, and within a
    second a power cut. Edits of more than BULK samples run on a worker thread; meanwhile `busy` is true and further edits
    raise UserError.
    """

    changed = Signal(object)  # Changes
    saved = Signal(str)  # the step just written, in words: "place nose tip", "undone: place nose tip"
    failed = Signal(str)  # why an undo or a background read or write failed
    busy_changed = Signal(bool)
    progress = Signal(float)  # 0..1, of the background read or write

    def __init__(self, project: Project, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.project, self.schema = project, project.schema
        project.database.set_busy(WAIT_MS)
        project.database.leave_folding()
        self.undo_stack = JournalStack(self._move_step, self)
        self.undo_stack.restore(read_steps(project.database))
        self._index = project.index()
        self._kept = int(self._index.kept.sum())
        self._background = Background(project.address, self)
        self._background.progress.connect(self.progress)
        self.columns = RunColumns(project, self._background, self)
        self.columns.changed.connect(self.changed)
        self.columns.failed.connect(self.failed)
        self.large = LargeEdits(self._background, self._indexed, parent=self)
        self.large.busy_changed.connect(self.busy_changed)
        self.whereabouts = PlaceWatch(project, self)
        self.external = ExternalChanges(project, self._background, self._state, self.whereabouts, parent=self)
        self.external.reloaded.connect(self._reloaded)
        self.external.failed.connect(self.failed)
        self.flushing = Flushing(project.database, self)
        self.flushing.failed.connect(self.failed)
        self._closed = False
        self._nudges = Nudges()

    def close(self) -> None:
        """Finish pending writes and close the project. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self.external.close()
            self.flushing.close()
            self.whereabouts.close()
            self._background.close()
            self.undo_stack.clear()
            self.project.close()

    # reading

    @property
    def path(self) -> Path:
        return self.project.path

    @property
    def busy(self) -> bool:
        """Whether a large edit is being written; further edits are refused until it is done."""
        return self.large.busy

    def index(self) -> SampleIndex:
        """The columns of all samples: the store's own arrays, updated by each edit. Read-only for callers."""
        return self._index

    def ids(self) -> np.ndarray:
        """int64 [N], in import order."""
        return self._index.ids

    def __len__(self) -> int:
        return len(self._index)

    def sample(self, sample_id: int) -> Sample:
        """One sample. Raises UserError for an unknown id."""
        return self.project.sample(sample_id)

    def labels(self, ids: Sequence[int] | np.ndarray) -> Labels:
        """The labels of `ids`, in their order."""
        return self.project.labels(ids)

    def predictions(self, run: str, ids: Sequence[int] | np.ndarray) -> Predictions:
        """The predictions of `run` for `ids`; NaN where it has none."""
        return self.project.predictions(run, ids)

    # edits: one undo step, one transaction, then `changed`

    def place(
        self,
        sample_id: int,
        keypoint: int,
        xy: tuple[float, float],
        *,
        state: PointState = PointState.VISIBLE,
        source: object | None = None,
    ) -> None:
        """Place a point at xy (image pixels), as a person's label."""
        title = self.schema.titles[keypoint]
        changed = self._change(
            sample_id,
            lambda labels: placed(labels, keypoint, xy, state=state),
            text=lambda before: f"{'move' if before.mask[0, keypoint] else 'place'} {title}",
            continues=lambda before, after: self._nudges.step_for(sample_id, keypoint, before, after),
            source=source,
        )
        if changed:
            self._nudges.placed(self.undo_stack.newest(), sample_id, keypoint)

    def set_state(self, sample_id: int, keypoint: int, state: PointState, *, source: object | None = None) -> None:
        """Set the state of a point, as a person's label. Absent and unset drop the point; occluded keeps it.

        Raises UserError for visible or occluded if there is no point.
        """
        title = self.schema.titles[keypoint]
        self._change(
            sample_id,
            lambda labels: with_state(labels, keypoint, state, title=title),
            text=lambda _: STATE_TEXTS[state].format(title),
            source=source,
        )

    def _change(
        self,
        sample_id: int,
        change: Change,
        *,
        text: Callable[[Labels], str],
        continues: Callable[[Labels, Labels], int | None] = lambda _before, _after: None,
        source: object | None,
    ) -> bool:
        """Change the labels of one sample as they are on disk; returns whether anything differs.

        continues(before, after): the step that the change belongs to, None for a new one.
        """
        self.large.refuse()
        ids = np.array([sample_id], np.int64)
        with self.project.database.transaction():
            before = self.labels(ids)
            words, step = text(before), continues(before, change(before))
            amends = step is not None and is_newest(self.project.database, step)
            if step is not None and amends:
                amend_labels(self.project, step, ids, change)
            else:
                step = change_labels(self.project, ids, change, text=words).step
        if amends:
            self._labels_changed(ids, source=source)
            self.saved.emit(self.undo_stack.undoText())
        elif step is not None:
            self._took(Step(step, words, 0.0, False, 1), ids, source=source)
        return step is not None

    def edit(
        self, work: Callable[[Project], Edited], *, samples: int | None = None, source: object | None = None
    ) -> int | None:
        """Run an edit, such as those in `training.storage.project.edits`. samples: how many at most (None: any number).

        Returns the number of points. If it may change more than BULK samples it continues in the background: then
        returns None, and `saved` is emitted at the end.
        """
        self.large.refuse()
        if len(self) > BULK and (samples is None or samples > BULK):
            self.large.run(work, done=lambda edited: self._edited(edited, source=source), failed=self._move_failed)
            return None
        edited = work(self.project)
        self._edited(edited, source=source)
        return edited.points

    def _edited(self, edited: Edited, *, source: object | None) -> None:
        if edited.step is None:
            self.saved.emit("nothing to change")
        else:
            step = next((s for s in reversed(read_steps(self.project.database)) if s.id == edited.step), None)
            if step is None:  # another program has already undone it and made another edit
                self.external.reload()
            else:
                self._took(step, edited.ids, source=source)

    # undo

    def _move_step(self, command: JournalStep, undo: bool) -> None:
        """Undo or redo a command's step. On an error `failed` is emitted and nothing is changed."""
        self._nudges.forget()
        if self.large.busy:
            self._move_failed(UserError("A large change is still being written. Wait for it, then undo or redo."))
        elif command.samples > BULK:
            self.large.run(
                lambda project: move(project, command.step, undo=undo),
                done=lambda ids: self._moved(ids, command.text(), undo),
                failed=self._move_failed,
            )
        else:
            try:
                ids = move(self.project, command.step, undo=undo)
            except UserError as error:
                self._move_failed(error)
            else:
                self._moved(ids, command.text(), undo, step=command.step)

    def _moved(self, ids: np.ndarray, text: str, undo: bool, *, step: int = 0) -> None:
        self._labels_changed(ids, step=step)
        self.saved.emit(f"{'undone' if undo else 'redone'}: {text}")

    def _move_failed(self, error: Exception) -> None:
        """Restore the stack from the journal after the current call, because Qt has already moved it."""
        self.failed.emit(str(error))
        QTimer.singleShot(0, self, self.external.reload)

    def _took(self, step: Step, ids: np.ndarray, *, source: object | None) -> None:
        """Add a step written to disk to the stack, and emit the change."""
        if len(self._index) < len(self.project):  # the step added a face
            self._index = self.project.index()
            self.columns.clear()
        missed = step.id != self.undo_stack.newest() + 1  # another program wrote steps before this one
        self.undo_stack.take(step)
        if missed:
            self.external.reload()
        elif self.undo_stack.oldest() < oldest_step(self.project.database):  # the journal has dropped old steps
            self.undo_stack.restore(read_steps(self.project.database))
        self._labels_changed(ids, source=source, step=step.id)
        self.saved.emit(step.text)

    def _labels_changed(self, ids: np.ndarray, *, source: object | None = None, step: int = 0) -> None:
        self.external.count_edit()
        self.flushing.edited()
        cut = False
        if len(ids) <= BULK:  # after a larger edit the worker thread has read the index
            cut = refresh(self._index, self.project, ids, step=step)
            self.columns.labels_changed(ids)
        kept, self._kept = self._kept, int(self._index.kept.sum())
        cut |= kept != self._kept  # some were removed or put back
        self.changed.emit(Changes(ids, labels=True, predictions=cut, samples=cut, source=source))

    def _indexed(self, index: SampleIndex) -> None:
        """After a large edit."""
        self._index = index
        self.columns.clear()

    # other programs

    def _state(self) -> State:
        """The state of the journal if no other program wrote."""
        return len(self), self.undo_stack.newest(), self.undo_stack.undone()

    def _reloaded(self, index: SampleIndex, steps: list[Step], schema: KeypointSchema) -> None:
        if self.large.busy:
            self.external.reload()
            return
        self._index, self._kept, self.schema = index, int(index.kept.sum()), schema
        self.undo_stack.restore(steps)
        self.columns.clear()
        self.changed.emit(replace(EVERYTHING))
