"""Edits of many samples, written on the worker thread one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from fkp_studio.background.project_thread import Background, Done, Stop, Work
from training.errors import UserError
from training.storage.project.tables.packed_columns import SampleIndex


class LargeEdits(QObject):
    """While `busy`, further edits are refused."""

    busy_changed = Signal(bool)

    def __init__(self, background: Background, indexed: Callable[[SampleIndex], None], *, parent: QObject) -> None:
        """indexed: called with the columns of all samples, read after an edit, before that edit is reported as done."""
        super().__init__(parent)
        self.busy = False
        self._indexed = indexed
        self._background, self._stop = background, Stop()

    def refuse(self) -> None:
        """Raise UserError while a large edit is being written."""
        if self.busy:
            raise UserError("A large change is still being written. Wait for it, then try again.")

    def run(self, work: Work, *, done: Done, failed: Done) -> None:
        """Write an edit; then done(result of `work`), or failed(error) if nothing was changed."""
        self._set_busy(True)

        def finished(result: tuple[Any, SampleIndex]) -> None:
            self._indexed(result[1])
            self._set_busy(False)
            done(result[0])

        def ended(error: Exception) -> None:
            self._set_busy(False)
            failed(error)

        self._stop = self._background.run(lambda p: (work(p), p.index()), done=finished, failed=ended)

    def stop(self) -> None:
        """Stop the edit being written, if any; it fails and nothing is changed."""
        if self.busy:
            self._stop.set()

    def _set_busy(self, busy: bool) -> None:
        self.busy = busy
        self.busy_changed.emit(busy)
