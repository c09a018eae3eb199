"""ProjectStore, the window's only access to the project: reads, edits, undo, and change notification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from fkp_studio.background.project_thread import Background, Done, Stop, Work
from fkp_studio.document.caches import Columns, RunCache
from fkp_studio.document.changes import EVERYTHING, Changes
from fkp_studio.document.commands import JournalStep
from fkp_studio.document.edits import STATE_TEXTS, placed, with_state
from fkp_studio.document.index import refresh
from fkp_studio.document.journal_stack import JournalStack, move
from fkp_studio.document.nudges import Nudges
from training.assist.filling.accept import Accepted
from training.errors import UserError
from training.faces.labels.labels import Labels, PointState
from training.faces.labels.schema import KeypointSchema
from training.storage.project.columns import SampleIndex
from training.storage.project.journal import Step
from training.storage.project.predictions import Predictions
from training.storage.project.project import Project, Sample

__all__ = ["EVERYTHING", "Changes", "ProjectStore"]

BULK = 256  # edits of more samples are written on the worker thread
WAIT_MS = 250  # how long the window waits while another program writes
FOLD_EDITS = 100  # edits between checkpoints of the write-ahead log, on the worker thread
LOOK_MS = 1000  # between checks whether another program wrote


class ProjectStore(QObject):
    """The open project in the interface thread. It owns the project and closes it.

    An edit is one transaction and one step of the journal; when the method returns it is on disk. Edits of more than
    BULK samples run on a worker thread; meanwhile `busy` is true and further edits raise UserError.
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
        self._index = project.index()
        self._kept = int(self._index.kept.sum())
        self._columns = RunCache()
        self._background = Background(project.path, self)
        self._background.progress.connect(self.progress)
        self._stop = Stop()  # of the large edit
        self._busy = self._closed = self._looking = False
        self._edits = self._folded = 0  # number of edits, to detect outdated background reads
        self._nudges = Nudges()
        self.undo_stack.restore(project.history())
        self._version = project.database.data_version()
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def close(self) -> None:
        """Finish pending writes and close the project. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._timer.stop()
            self._background.close()
            self.undo_stack.clear()
            self.project.close()

    # reading

    @property
    def path(self) -> Path:
        """The project's folder."""
        return self.project.path

    @property
    def busy(self) -> bool:
        """Whether a large edit is being written; further edits are refused until it is done."""
        return self._busy

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

    def prediction_runs(self) -> list[str]:
        """Names of the runs with predictions."""
        return self.project.prediction_runs()

    def run_columns(self, run: str) -> Columns:
        """Mean error to the labels (px) and mean confidence, float32 [N] each, NaN where unknown.

        The first call computes them in the background and returns NaNs; `changed` with `predictions` is emitted when
        they are ready. The arrays are the store's own, updated by each edit.
        """
        known = self._columns.get(run)
        if known is not None:
            return known
        if self._columns.begin(run):
            self._background.run(
                lambda project: project.run_columns(run),
                done=lambda columns: self._got_columns(run, columns),
                failed=lambda error: self._no_columns(run, error),
                reads=True,
            )
        nothing = np.full(len(self), np.nan, np.float32)
        return nothing, nothing.copy()

    def _got_columns(self, run: str, columns: Columns) -> None:
        edited = self._columns.finish(run, columns)
        if edited is not None:
            self._columns.update(run, edited, self.project.run_columns(run, edited))
            self.changed.emit(Changes(predictions=True))

    def _no_columns(self, run: str, error: Exception) -> None:
        self._columns.finish(run, None)
        self.failed.emit(str(error))

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
        self._refuse_while_busy()
        before = self.labels([sample_id])
        after = placed(before, keypoint, xy, state=state)
        step = self._nudges.step_for(sample_id, keypoint, before, after)
        if step is not None and step == self.undo_stack.newest() and not self.undo_stack.undone():
            ids = np.array([sample_id], np.int64)
            self.project.amend_step(step, ids, after)
            self._labels_changed(ids, source=source)
            self.saved.emit(self.undo_stack.undoText())
        else:
            verb = "move" if before.mask[0, keypoint] else "place"
            self._edit(sample_id, before, after, text=f"{verb} {self.schema.titles[keypoint]}", source=source)
        self._nudges.placed(self.undo_stack.newest(), sample_id, keypoint)

    def set_state(self, sample_id: int, keypoint: int, state: PointState, *, source: object | None = None) -> None:
        """Set the state of a point, as a person's label. Absent and unset drop the point; occluded keeps it.

        Raises UserError for visible or occluded if there is no point.
        """
        before, title = self.labels([sample_id]), self.schema.titles[keypoint]
        after = with_state(before, keypoint, state, title=title)
        self._edit(sample_id, before, after, text=STATE_TEXTS[state].format(title), source=source)

    def _edit(self, sample_id: int, before: Labels, after: Labels, *, text: str, source: object | None) -> None:
        self._refuse_while_busy()
        if before.same_as(after):
            return
        ids = np.array([sample_id], np.int64)
        step = self.project.write_step(ids, before, after, text=text)
        self._took(Step(step, text, 0.0, False, 1), ids, source=source)

    def accept(
        self,
        run: str,
        ids: np.ndarray | Sequence[int] | None = None,
        *,
        keypoints: Sequence[int] | None = None,
        min_confidence: float = 0.0,
        text: str | None = None,
        source: object | None = None,
    ) -> int | None:
        """Fill the unset points of `ids` (None: all) from a run's predictions; existing labels are never replaced.

        Returns the number of points; None if it continues in the background (more than BULK samples): then `saved` is
        emitted at the end.
        """
        wanted = None if ids is None else np.asarray(ids, np.int64)

        def work(project: Project) -> Accepted:
            return project.accept(run, wanted, keypoints=keypoints, min_confidence=min_confidence, text=text)

        return self.edit(work, many=wanted is None or len(wanted) > BULK, source=source)

    def take_back(self, run: str, *, source: object | None = None) -> int | None:
        """Unset every point accepted from `run`. Returns as `accept` does."""
        return self.edit(lambda project: project.take_back(run), many=len(self) > BULK, source=source)

    def move_to_split(self, ids: np.ndarray, split: int, *, source: object | None = None) -> int | None:
        """Move samples with their groups to train (0), val (1) or test (2). Returns as `accept` does."""
        return self.edit(lambda project: project.move_to_split(ids, split), many=True, source=source)

    def edit(self, work: Work, *, many: bool = True, source: object | None = None) -> int | None:
        """Run an edit that writes one step: work(project) -> Accepted. Returns as `accept` does."""
        self._refuse_while_busy()
        if many and len(self) > BULK:
            self._bulk(work, done=lambda accepted: self._accepted(accepted, source=source))
            return None
        accepted: Accepted = work(self.project)
        self._accepted(accepted, source=source)
        return accepted.points

    def _accepted(self, accepted: Accepted, *, source: object | None) -> None:
        if accepted.step is None:
            self.saved.emit("nothing to change")
        else:
            step = next((s for s in reversed(self.project.history()) if s.id == accepted.step), None)
            if step is None:  # another program has already undone it and made another edit
                self.reload()
            else:
                self._took(step, accepted.ids, source=source)

    def put_predictions(
        self, run: str, ids: np.ndarray, points: np.ndarray, confidences: np.ndarray, *, source: object | None = None
    ) -> None:
        """Write a run's predictions (points [B, K, 2] px, confidences [B, K]) in the background; emits `changed`."""
        wanted = np.array(ids, np.int64)

        def work(project: Project) -> Columns:
            project.write_predictions(run, wanted, points, confidences)
            return project.run_columns(run, wanted)

        def done(columns: Columns) -> None:
            self._columns.edited(wanted)
            self._columns.update(run, wanted, columns)
            self.changed.emit(Changes(wanted, predictions=True, source=source))

        self._background.run(work, done=done, failed=self._tell)

    def _tell(self, error: Exception) -> None:
        self.failed.emit(str(error))

    def set_schema(self, schema: KeypointSchema) -> None:
        """Change the keypoints' names, pairs or normalisers. Raises UserError if their number differs."""
        self.project.set_schema(schema)
        self.reload()

    def forget_predictions(self, run: str) -> None:
        """Drop a run's predictions, as when the run is discarded. Accepted points stay."""

        def done(_: None) -> None:
            self._columns.clear()
            self.changed.emit(Changes(predictions=True))

        self._background.run(lambda project: project.delete_predictions(run), done=done, failed=self._tell)

    # undo

    def _move_step(self, command: JournalStep, undo: bool) -> None:
        """Undo or redo a command's step. On an error `failed` is emitted and nothing is changed."""
        self._nudges.forget()
        if self._busy:
            self._move_failed(UserError("A large change is still being written. Wait for it, then undo or redo."))
        elif command.samples > BULK:
            self._bulk(
                lambda project: move(project, command.step, undo=undo),
                done=lambda ids: self._moved(ids, command.text(), undo),
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
        QTimer.singleShot(0, self, self.reload)

    def _took(self, step: Step, ids: np.ndarray, *, source: object | None) -> None:
        """Add a step written to disk to the stack, and emit the change."""
        if len(self._index) < len(self.project):  # the step added a face
            self._index = self.project.index()
            self._columns.clear()
        self.undo_stack.take(step)
        if self.undo_stack.oldest() < self.project.oldest_step():  # the journal has dropped old steps
            self.undo_stack.restore(self.project.history())
        self._labels_changed(ids, source=source, step=step.id)
        self.saved.emit(step.text)

    def _labels_changed(self, ids: np.ndarray, *, source: object | None = None, step: int = 0) -> None:
        self._edits, cut = self._edits + 1, False
        if len(ids) <= BULK:  # after a larger edit the worker thread has read the index
            cut = refresh(self._index, self.project, ids, step=step)
            self._columns.edited(ids)
            for run in self._columns.runs():
                self._columns.update(run, ids, self.project.run_columns(run, ids))
        kept, self._kept = self._kept, int(self._index.kept.sum())
        cut |= kept != self._kept  # some were removed or put back
        self.changed.emit(Changes(ids, labels=True, predictions=cut, samples=cut, source=source))

    # large edits

    def _refuse_while_busy(self) -> None:
        if self._busy:
            raise UserError("A large change is still being written. Wait for it, then try again.")

    def _bulk(self, work: Work, *, done: Done) -> None:
        """Write on the worker thread; other edits are refused meanwhile."""
        self._set_busy(True)

        def finished(result: tuple[Any, SampleIndex]) -> None:
            self._index = result[1]
            self._columns.clear()
            self._set_busy(False)
            done(result[0])

        def failed(error: Exception) -> None:
            self._set_busy(False)
            self._move_failed(error)

        self._stop = self._background.run(lambda p: (work(p), p.index()), done=finished, failed=failed)

    def stop(self) -> None:
        """Stop the large edit being written, if any; `failed` then reports that nothing was changed."""
        if self._busy:
            self._stop.set()

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        self.busy_changed.emit(busy)

    # other programs

    def look(self) -> None:
        """Reload if another program wrote, and keep the write-ahead log short. Called every LOOK_MS."""
        if self._closed or self._looking or self._background.pending:
            return
        if self._edits - self._folded >= FOLD_EDITS:
            self._folded = self._edits
            self._background.run(lambda project: project.database.fold(), done=lambda _: None, failed=self._tell)
        version, ours = self.project.database.data_version(), self._background.take_worked()
        if version != self._version:
            self._version = version
            if not ours or self.project.state() != self._state():
                self.reload()

    def _state(self) -> tuple[int, int, int]:
        """The value of `Project.state` if no other program wrote."""
        return len(self), self.undo_stack.newest(), self.undo_stack.undone()

    def reload(self) -> None:
        """Read everything again in the background, then emit `changed`."""
        if self._looking or self._closed:
            return
        self._looking, edits = True, self._edits
        self._background.run(
            lambda project: (project.index(), project.history(), project.schema),
            done=lambda found: self._reloaded(*found, edits=edits),
            failed=self._not_reloaded,
            reads=True,
        )

    def _reloaded(self, index: SampleIndex, steps: list[Step], schema: KeypointSchema, *, edits: int) -> None:
        self._looking = False
        if edits != self._edits or self._busy:
            self.reload()
            return
        self._index, self._kept, self.schema = index, int(index.kept.sum()), schema
        self.undo_stack.restore(steps)
        self._columns.clear()
        self.changed.emit(replace(EVERYTHING))

    def _not_reloaded(self, error: Exception) -> None:
        self._looking = False
        self.failed.emit(str(error))
