"""Turns mouse events on the canvas into gestures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from PySide6.QtCore import Qt

from fkp_studio.face.face import Face
from fkp_studio.face.geometry import inside, nearest
from fkp_studio.face.marks import Display, ToScreen
from fkp_studio.views.canvas.editor import FaceEditor
from fkp_studio.views.canvas.gestures.interactions import Cursor, DragPoint, Gesture, Pan, PlacePoint, Stage

if TYPE_CHECKING:
    from fkp_studio.document.session import Session

REACH = 3.0  # screen pixels around a mark that still hit it


class Canvas(Stage, Protocol):
    """The canvas as the mouse uses it."""

    @property
    def display(self) -> Display:
        """What is shown."""

    @property
    def shown_face(self) -> Face | None:
        """The face on the screen; None while its image is loading."""

    def to_screen(self) -> ToScreen:
        """The mapping from image pixels to the window."""


class Mouse:
    """Holds the gesture in progress. Of a labelled point only the label can be dragged, not the prediction."""

    def __init__(self, canvas: Canvas, editor: FaceEditor, session: Session) -> None:
        self._canvas, self._editor, self._session = canvas, editor, session
        self._gesture: Gesture | None = None
        self._clicked_ring = -1  # the walk's next point if its ring was clicked: a double click accepts it instead

    @property
    def busy(self) -> bool:
        """Whether a gesture is in progress."""
        return self._gesture is not None

    def hit(self, cursor: Cursor) -> tuple[int, bool]:
        """(keypoint under the cursor or -1, whether it is the prediction of an unlabelled point)."""
        face = self._canvas.shown_face
        if face is None:
            return -1, False
        place, radius = self._canvas.to_screen(), self._canvas.display.point_size / 2 + REACH
        rings = ~face.present & self._canvas.display.predictions
        spots = np.where(rings[:, None], face.predicted, face.points)
        found = nearest(place(spots), cursor.screen, radius=radius)
        return found, found >= 0 and bool(rings[found])

    def press(self, cursor: Cursor, button: Qt.MouseButton, *, panning: bool) -> None:
        """Begin a gesture. panning: whether Space is held."""
        if self.busy:
            return
        if button == Qt.MouseButton.MiddleButton or (button == Qt.MouseButton.LeftButton and panning):
            self._gesture = Pan(self._canvas, cursor)
        elif button == Qt.MouseButton.LeftButton:
            self._gesture = self._edit(cursor)

    def move(self, cursor: Cursor) -> None:
        if self._gesture is not None:
            self._gesture.move(cursor)

    def release(self, cursor: Cursor) -> None:
        """End the gesture."""
        gesture, self._gesture = self._gesture, None
        if gesture is not None:
            gesture.end(cursor)

    def cancel(self) -> bool:
        """Cancel the gesture; returns whether there was one."""
        gesture, self._gesture = self._gesture, None
        if gesture is not None:
            gesture.cancel()
        return gesture is not None

    def double_click(self, cursor: Cursor) -> None:
        """Accept the ring under the cursor, even if the first click has just placed that point by hand."""
        keypoint, ring = self.hit(cursor)
        if self._clicked_ring >= 0:
            self._editor.accept_instead(self._clicked_ring)
        elif ring:
            self._editor.accept(keypoint)
        self._clicked_ring = -1

    def _edit(self, cursor: Cursor) -> Gesture | None:
        face = self._canvas.shown_face
        self._clicked_ring = -1
        if face is None:
            return None
        keypoint, ring = self.hit(cursor)
        target = self._editor.target
        if keypoint >= 0 and not (ring and keypoint == target):
            point = face.predicted[keypoint] if ring else face.points[keypoint]
            self._session.set_keypoint(keypoint)
            at = (float(point[0]), float(point[1]))
            return DragPoint(self._canvas, self._editor, keypoint, cursor=cursor, point=at)
        if target >= 0 and inside(cursor.image, width=face.width, height=face.height):
            self._clicked_ring = target if ring else -1
            return PlacePoint(self._canvas, self._editor, target, cursor=cursor)
        return None
