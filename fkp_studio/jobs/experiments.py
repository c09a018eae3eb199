"""The experiment of the open project: a process that may outlive the window, followed through its progress file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, QThread, Signal

from training.experiments.events import ExperimentEvent, from_line
from training.experiments.lock import conductor
from training.experiments.plan import FOLDER, Options

PROGRESS, LOG = "progress.jsonl", "log.txt"
EXPERIMENT: tuple[str, ...] = (sys.executable, "-m", "training.cli", "experiment")
_POLL_SECONDS = 0.2
_LEAVE_MS = 5000


class ExperimentThread(QThread):
    """Follows FOLDER/progress.jsonl until the conductor ends. Given a `command`, it starts that first."""

    events = Signal(object)  # tuple[ExperimentEvent, ...], never empty
    over = Signal(str)  # ended: "" if it reported its end itself, else its last message

    def __init__(self, folder: Path, *, command: Sequence[str] = (), parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder = folder
        self.setObjectName(f"experiment {folder.name}")
        self._command = list(command)
        self._left = threading.Event()
        self._offset = 0
        self._process: subprocess.Popen[bytes] | None = None

    def leave(self) -> None:
        """Stop following; the experiment continues."""
        self._left.set()
        self.wait(_LEAVE_MS)

    def stop(self) -> None:
        """Ask the conductor to stop its trainings; finished ones are kept."""
        process = self._process
        pid = process.pid if process is not None and process.poll() is None else conductor(self.folder)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)

    def run(self) -> None:
        """The thread's body: start, follow, report the end."""
        if self._command:
            try:
                self._process = self._begin()
            except OSError as error:
                self.over.emit(f"The experiment can't be started: {error.strerror or error}.")
                return
        while not self._left.is_set():
            gone = self._is_gone()  # checked before reading, so that nothing it wrote is missed
            self._read()
            if gone:
                self.over.emit(self._last_words())
                return
            self._left.wait(_POLL_SECONDS)
        if self._process is not None:
            threading.Thread(target=self._process.wait, name="reaper", daemon=True).start()

    def _begin(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / PROGRESS).open("wb") as out, (self.folder / LOG).open("wb") as log:
            return subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True
            )

    def _is_gone(self) -> bool:
        return self._process.poll() is not None if self._process is not None else conductor(self.folder) is None

    def _read(self) -> None:
        with suppress(OSError), (self.folder / PROGRESS).open("rb") as file:
            file.seek(self._offset)
            data = file.read()
            whole = data.rfind(b"\n") + 1
            self._offset += whole
            found = tuple(e for e in map(_parse, data[:whole].splitlines()) if e is not None)
            if found:
                self.events.emit(found)

    def _last_words(self) -> str:
        """Why our conductor failed: its last line on stderr; "" if it did not fail."""
        if self._process is None or self._process.returncode in (0, 130):
            return ""
        with suppress(OSError):
            lines = (self.folder / LOG).read_text("utf-8", errors="replace").strip().splitlines()
            if lines:
                return lines[-1]
        return f"The experiment ended with exit code {self._process.returncode}; see the log in its folder."


def _parse(line: bytes) -> ExperimentEvent | None:
    try:
        return from_line(line.decode("utf-8"))
    except (ValueError, AttributeError):
        return None


class Experiments(QObject):
    """Starts or follows at most one experiment at a time."""

    began = Signal(str)  # the experiment's name
    events = Signal(object)  # tuple[ExperimentEvent, ...]
    over = Signal(str)  # "" or why it failed

    def __init__(self, parent: QObject | None = None, *, command: Sequence[str] = EXPERIMENT) -> None:
        super().__init__(parent)
        self._command = command
        self._thread: ExperimentThread | None = None

    @property
    def running(self) -> str:
        """The name of the running experiment, "" for none."""
        return self._thread.folder.name if self._thread is not None else ""

    def start(self, name: str, project: Path, options: Options) -> None:
        """Start an experiment on a project unless one is running."""
        budget = options.budget
        each = (
            ["--epochs", str(budget.epochs)]
            if budget.epochs is not None
            else ["--minutes-per-run", str(budget.minutes)]
        )
        words = [
            name,
            str(project),
            *each,
            "--seeds",
            str(budget.seeds),
            "--jobs",
            str(options.side_by_side),
            "--split",
            options.split,
            *(["--hide", str(options.hide)] if options.hide else []),
        ]
        self._follow(project / FOLDER / name, [*self._command, *words, "--json"])

    def find(self, project: Path) -> None:
        """Follow an experiment of this project that is already running. Reads a few files."""
        folder = project / FOLDER
        if self._thread is None and folder.is_dir():
            running = next((f for f in sorted(folder.iterdir()) if f.is_dir() and conductor(f) is not None), None)
            if running is not None:
                self._follow(running, [])

    def stop(self) -> None:
        """Ask the experiment to stop; finished trainings are kept."""
        if self._thread is not None:
            self._thread.stop()

    def leave(self) -> None:
        """Stop following the experiment, which continues."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.leave()
            thread.deleteLater()

    def _follow(self, folder: Path, command: Sequence[str]) -> None:
        if self._thread is not None:
            return
        thread = ExperimentThread(folder, command=command, parent=self)
        self._thread = thread
        thread.events.connect(self.events)
        thread.over.connect(self._over)
        thread.start()
        self.began.emit(folder.name)

    def _over(self, sentence: str) -> None:
        thread = self._thread
        if thread is None or self.sender() is not thread:
            return  # queued from a thread that was left: waiting for the new one here would take hours
        self._thread = None
        thread.wait()
        thread.deleteLater()
        self.over.emit(sentence)
