"""Notices within a second that the open project was moved, deleted or replaced, or that its disk is gone."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from training.storage.project.project import Project
from training.storage.project.save_copy import hold_pixels
from training.storage.project.whereabouts import Lost, Whereabouts

LOOK_MS = 1000


class PlaceWatch(QObject):
    """While `lost` is not None, edits go on in the open database only, and nothing is read or written by path."""

    changed = Signal()  # `lost` has another value
    copy_wanted = Signal()  # the user asked for a copy of the project

    def __init__(self, project: Project, parent: QObject) -> None:
        super().__init__(parent)
        self.lost: Lost | None = None
        self.pixels: dict[int, np.ndarray] = {}  # images that stay readable after their files are deleted
        self._project, self._whereabouts = project, Whereabouts(project.address)
        self._closed = self._held = False
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def look(self) -> Lost | None:
        """Look now; takes microseconds. Returns `lost`."""
        if self._closed:
            return None
        found = self._whereabouts.look()
        if found is None and not self._held:
            self.hold()
        if found != self.lost:
            self.lost = found
            self.changed.emit()
        return found

    def hold(self) -> None:
        """Keep the images of the project's own files readable, also those of a new import."""
        self._held = True
        self.pixels = hold_pixels(self._project)

    def close(self) -> None:
        """Stop looking, and let go of the files."""
        self._closed = True
        self._timer.stop()
        self._whereabouts.close()
        self.pixels = {}
