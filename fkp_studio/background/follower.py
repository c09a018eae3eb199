"""The thread that starts a process that may outlive the window, or follows one started elsewhere."""

from __future__ import annotations

import itertools
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QObject, QThread, Signal

from training.processes.children import interrupt, kill_group, let_go

POLL_SECONDS = 0.1
FOREIGN_POLLS = 10  # a process started elsewhere is tested for life at every tenth poll only
_LEAVE_MS = 5000  # longest wait for the thread to end


@dataclass(frozen=True)
class Ending:
    """How a process ended. code: as Popen.returncode; None if it was started elsewhere. killed: whether by us."""

    code: int | None
    killed: bool


class Followed(Protocol):
    """What a Follower needs to know about a process. All methods run in the follower's thread."""

    @property
    def title(self) -> str:
        """Its name in sentences, such as "training process"."""

    def start(self) -> subprocess.Popen[bytes]:
        """Start it. Raises OSError."""

    def is_alive(self) -> bool:
        """Whether it is running; called only if it was started elsewhere."""

    def read(self) -> Sequence[object]:
        """The events it has written since the last call. Raises OSError."""

    def describe(self, ending: Ending) -> str:
        """Why it ended, as a sentence; "" if it reported its end itself."""


class Follower(QThread):
    """Emits new events about ten times per second. `leave` ends the thread but not the process.

    With `start` it first emits the existing events, then starts the process.
    """

    events = Signal(object)  # a tuple of events, never empty
    over = Signal(str)  # the process has ended or could not be started: "" or a sentence on what happened

    def __init__(self, followed: Followed, *, start: bool, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"follower of a {followed.title}")
        self.is_own = start  # whether the process is our child
        self._followed = followed
        self._left, self._interrupt, self._kill = threading.Event(), threading.Event(), threading.Event()

    def interrupt(self) -> None:
        """Ask our process to stop cleanly, even while it is being started."""
        self._interrupt.set()

    def kill(self) -> None:
        """Kill our process and its children."""
        self._kill.set()

    def leave(self) -> None:
        """Stop following; the process continues. Returns when the thread has ended."""
        self._left.set()
        self.wait(_LEAVE_MS)

    def run(self) -> None:
        """The thread's body: start, follow, report the end."""
        process = None
        if self.is_own:
            self._read()
            try:
                process = self._followed.start()
            except OSError as error:
                self.over.emit(f"The {self._followed.title} can't be started: {error.strerror or error}.")
                return
        self._follow(process)
        if process is not None and process.returncode is None:
            let_go(process)

    def _follow(self, process: subprocess.Popen[bytes] | None) -> None:
        for poll in itertools.count():
            left = self._left.is_set()  # checked before obeying, so that requests made before leaving are carried out
            if process is not None:
                self._obey(process)
            if left:
                return
            gone = self._is_gone(process, poll)  # checked before reading, so that no event is missed
            self._read()
            if gone:
                code = None if process is None else process.returncode
                self.over.emit(self._followed.describe(Ending(code, self._kill.is_set())))
                return
            self._left.wait(POLL_SECONDS)

    def _obey(self, process: subprocess.Popen[bytes]) -> None:
        if self._interrupt.is_set() and process.poll() is None:
            self._interrupt.clear()  # a second signal would end it at once
            interrupt(process.pid)
        if self._kill.is_set():
            kill_group(process)

    def _is_gone(self, process: subprocess.Popen[bytes] | None, poll: int) -> bool:
        if process is None:
            return poll % FOREIGN_POLLS == 0 and not self._followed.is_alive()
        return process.poll() is not None

    def _read(self) -> None:
        try:
            found = self._followed.read()
        except OSError:  # its folder is being removed, or a network drive is briefly away: try at the next poll
            return
        if found:
            self.events.emit(tuple(found))
