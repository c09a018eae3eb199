"""Mouse gestures, one class each: created at the press, then `move`, finally `end` or `cancel`.

A gesture results in at most one call of the editor and so one undo step. Places are image pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

Place = tuple[float, float]

DRAG_DISTANCE = 3.0  # screen pixels before a press on a point becomes a drag


class Stage(Protocol):
    """The canvas as gestures use it."""

    def preview(self, keypoint: int, at: Place | None) -> None:
        """Show a point temporarily at another position, with the magnifier; None ends it."""

    def pan(self, dx: float, dy: float) -> None:
        """Move the image by screen pixels."""


class Editor(Protocol):
    """What a gesture edits."""

    def place(self, keypoint: int, at: Place) -> None:
        """Place the point: one undo step."""


@dataclass(frozen=True)
class Cursor:
    """The mouse position on the screen (window pixels) and on the image (image pixels)."""

    screen: Place
    image: Place


class Gesture(Protocol):
    """A mouse gesture in progress."""

    def move(self, cursor: Cursor) -> None:
        """The mouse moved with the button down."""

    def end(self, cursor: Cursor) -> None:
        """The button was released."""

    def cancel(self) -> None:
        """Esc was pressed: restore the state before the gesture."""


class PlacePoint:
    """Places a point at the press; it can be moved until the button is released."""

    def __init__(self, stage: Stage, editor: Editor, keypoint: int, *, cursor: Cursor) -> None:
        self._stage, self._editor, self._keypoint, self._start = stage, editor, keypoint, cursor.screen
        self._moved = False

    def move(self, cursor: Cursor) -> None:
        self._moved = self._moved or _far(self._start, cursor.screen)
        if self._moved:
            self._stage.preview(self._keypoint, cursor.image)

    def end(self, cursor: Cursor) -> None:
        self._stage.preview(self._keypoint, None)
        self._editor.place(self._keypoint, cursor.image)

    def cancel(self) -> None:
        self._stage.preview(self._keypoint, None)


class DragPoint:
    """Drags a point (or a prediction), keeping its offset from the cursor so that it does not jump."""

    def __init__(self, stage: Stage, editor: Editor, keypoint: int, *, cursor: Cursor, point: Place) -> None:
        self._stage, self._editor, self._keypoint, self._start = stage, editor, keypoint, cursor.screen
        self._grip = (point[0] - cursor.image[0], point[1] - cursor.image[1])
        self._moved = False

    def move(self, cursor: Cursor) -> None:
        self._moved = self._moved or _far(self._start, cursor.screen)
        if self._moved:
            self._stage.preview(self._keypoint, self._at(cursor))

    def end(self, cursor: Cursor) -> None:
        self._stage.preview(self._keypoint, None)
        if self._moved:
            self._editor.place(self._keypoint, self._at(cursor))

    def cancel(self) -> None:
        self._stage.preview(self._keypoint, None)

    def _at(self, cursor: Cursor) -> Place:
        return cursor.image[0] + self._grip[0], cursor.image[1] + self._grip[1]


class Pan:
    """Pans the image."""

    def __init__(self, stage: Stage, cursor: Cursor) -> None:
        self._stage, self._last = stage, cursor.screen
        self._way = (0.0, 0.0)

    def move(self, cursor: Cursor) -> None:
        dx, dy = cursor.screen[0] - self._last[0], cursor.screen[1] - self._last[1]
        self._last, self._way = cursor.screen, (self._way[0] + dx, self._way[1] + dy)
        self._stage.pan(dx, dy)

    def end(self, cursor: Cursor) -> None:
        self.move(cursor)

    def cancel(self) -> None:
        self._stage.pan(-self._way[0], -self._way[1])


def _far(a: Place, b: Place) -> bool:
    return abs(a[0] - b[0]) + abs(a[1] - b[1]) >= DRAG_DISTANCE
