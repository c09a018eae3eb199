"""Edits of the current face's points, and the walk to the next one.

Each edit is one call to the store and so one undo step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal

from fkp_studio.document.members import accept_face
from fkp_studio.face.current_face import CurrentFace
from fkp_studio.face.face import Face
from fkp_studio.face.geometry import clamped
from training.faces.labels.labels import PointState
from training.words import counted

if TYPE_CHECKING:
    from fkp_studio.document.session import Session

PLACED = (PointState.VISIBLE, PointState.OCCLUDED)


class FaceEditor(QObject):
    """Edits and the guided walk. The walk's next point is `target`: the current keypoint if it is still to be placed.

    place_state: the state the next click gives; occluded if the user chose that before placing the point.
    """

    hint = Signal(str)  # a short sentence on what happened or is not possible
    walk_changed = Signal()

    def __init__(self, session: Session, current: CurrentFace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._current = current
        self._sample_id = -1
        self._touched = -1  # the last point placed in this face: arrows still move it when the walk has moved on
        self._walk = 0  # where the walk resumes after other points were selected
        self.place_state = PointState.VISIBLE
        current.changed.connect(self._on_face_changed)
        session.keypoint_changed.connect(self._on_keypoint_changed)
        self._on_face_changed()

    @property
    def face(self) -> Face | None:
        """The face being edited."""
        return self._current.face

    @property
    def target(self) -> int:
        """The keypoint that a click places, -1 for none."""
        face, k = self.face, self._session.keypoint
        if face is None:
            return -1
        if (
            k >= 0
            and not face.present[k]
            and (face.states[k] == PointState.UNSET or self.place_state != PointState.VISIBLE)
        ):
            return k
        return next_missing(face.states, self._walk)

    def place(self, keypoint: int, at: tuple[float, float], *, state: PointState | None = None) -> None:
        """Place or move a point (image pixels, clamped to the image). Placing it first advances the walk."""
        face, store = self.face, self._session.store
        if face is None or store is None:
            return
        at = clamped(at, width=face.width, height=face.height)
        first = not face.present[keypoint]
        state = state or (self.place_state if first else PointState(int(face.states[keypoint])))
        store.place(face.sample_id, keypoint, at, state=state, source=self)
        self._touched = keypoint
        if first:
            self._walk_on(keypoint)
        else:
            self._session.set_keypoint(keypoint)

    def nudge(self, dx: float, dy: float) -> None:
        """Move the current point (or the one placed last) by image pixels."""
        face, k = self.face, self._movable()
        if face is None or k < 0:
            self.hint.emit("Select a point to move it with the arrow keys.")
            return
        x, y = face.points[k].tolist()
        self.place(k, (x + dx, y + dy))

    def set_state(self, state: PointState) -> None:
        """Set the current point's state. For an unplaced point, visible or occluded applies to the next click."""
        face, store, k = self.face, self._session.store, self._session.keypoint
        if face is None or store is None:
            return
        k = self.target if k < 0 else k
        if k < 0:
            self.hint.emit("Select a point first: click it, or press Tab.")
        elif state in PLACED and not face.present[k]:
            self._session.set_keypoint(k)
            self.place_state = state
            self.walk_changed.emit()
            self.hint.emit(f"Click where the {store.schema.titles[k]} is.")
        elif state != face.states[k]:
            store.set_state(face.sample_id, k, state, source=self)
            self._touched = k
            if state == PointState.ABSENT:
                self._walk_on(k)

    def next_point(self, step: int) -> None:
        """Go to the next (1) or previous (-1) keypoint in schema order, wrapping around."""
        if self.face is not None:
            k, count = self._session.keypoint, len(self.face.states)
            self._session.set_keypoint((k + step) % count if k >= 0 else (0 if step > 0 else count - 1))

    def next_incomplete(self) -> None:
        """Go to the next face with missing points."""
        if not self._session.next_incomplete():
            self.hint.emit("No other face in the gallery has missing points.")

    def accept(self, keypoint: int) -> None:
        """Accept the prediction of one unset point as its label."""
        face, store = self.face, self._session.store
        if face is None or store is None:
            return
        if not face.acceptable[keypoint]:
            self.hint.emit(self._why_not(face, keypoint, store.schema.titles[keypoint]))
            return
        accept_face(store, self._session.run, face.sample_id, keypoints=[keypoint])
        self._touched = keypoint
        self._walk_on(keypoint)

    def accept_instead(self, keypoint: int) -> None:
        """Undo the placement made by the first half of a double click, and accept the prediction instead."""
        store = self._session.store
        if store is not None and self._touched == keypoint:
            store.undo_stack.undo()
            self.accept(keypoint)

    def accept_current(self) -> None:
        """Accept the prediction of the current point, or of the walk's next one."""
        k = self._session.keypoint if self._session.keypoint >= 0 else self.target
        if k >= 0:
            self.accept(k)

    def accept_missing(self) -> None:
        """Accept the predictions of all unset points of this face, as one step."""
        face, store = self.face, self._session.store
        if face is None or store is None:
            return
        if not face.acceptable.any():
            complete = not (face.states == PointState.UNSET).any()
            self.hint.emit("Nothing to accept: the face is complete." if complete else "No prediction to accept.")
            return
        count = accept_face(store, self._session.run, face.sample_id)
        self.hint.emit(f"Accepted {counted(count, 'point')}.")

    def _why_not(self, face: Face, keypoint: int, title: str) -> str:
        if face.states[keypoint] != PointState.UNSET:
            return f"The {title} is already labelled; predictions never replace labels."
        if not self._session.run:
            return "Choose a run to see its predictions, then accept them."
        return f"The run has no prediction for the {title} here."

    def _movable(self) -> int:
        face = self.face
        if face is None:
            return -1
        return next((k for k in (self._session.keypoint, self._touched) if k >= 0 and face.present[k]), -1)

    def _walk_on(self, keypoint: int) -> None:
        self.place_state = PointState.VISIBLE
        face = self.face
        following = next_missing(face.states, keypoint) if face is not None else -1
        self._walk = max(following, 0)
        self._session.set_keypoint(following if following >= 0 else keypoint)
        if following < 0:
            self.hint.emit("The face is complete.")
        self.walk_changed.emit()

    def _on_keypoint_changed(self, keypoint: int) -> None:
        if self.face is not None and keypoint >= 0 and self.face.states[keypoint] == PointState.UNSET:
            self._walk = keypoint
        self.place_state = PointState.VISIBLE
        self.walk_changed.emit()

    def _on_face_changed(self) -> None:
        face = self.face
        if face is None:
            self._sample_id = -1
        elif face.sample_id != self._sample_id:
            self._sample_id, self._touched, self._walk = face.sample_id, -1, 0
            self.place_state = PointState.VISIBLE
            self._session.set_keypoint(self._first(face.states))
        self.walk_changed.emit()

    def _first(self, states: np.ndarray) -> int:
        """The keypoint to select in a new face: the first missing, or the previous one if it or none is missing."""
        k = self._session.keypoint
        if 0 <= k < len(states) and states[k] == PointState.UNSET:
            return k
        missing = next_missing(states)
        return missing if missing >= 0 or k >= len(states) else k


def next_missing(states: np.ndarray, start: int = 0) -> int:
    """The first unset keypoint at or after `start` in schema order, wrapping around; -1 if the face is complete."""
    missing = np.flatnonzero(states == PointState.UNSET)
    if not len(missing):
        return -1
    later = missing[missing >= start]
    return int(later[0] if len(later) else missing[0])


def progress(states: np.ndarray) -> tuple[int, int]:
    """The number of keypoints that are not unset, and the number of all."""
    return int((states != PointState.UNSET).sum()), len(states)
