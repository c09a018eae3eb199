"""The experiment of the open project: a process that may outlive the window, followed through its progress file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from fkp_studio.background.follower import Ending, Follower
from training.experiments.experiment_events import ExperimentEvent, from_line
from training.experiments.options import FOLDER, LOCK, Options
from training.processes.children import ENDED_AS_ASKED, interrupt, last_words, start_detached
from training.processes.locks import holder
from training.processes.tail import Tail, parsed

PROGRESS, LOG = "progress.jsonl", "log.txt"
EXPERIMENT: tuple[str, ...] = (sys.executable, "-m", "training.cli", "experiment")


class ExperimentChild:
    """Conducts an experiment and writes FOLDER/progress.jsonl. command: starts it."""

    title = "experiment"

    def __init__(self, folder: Path, *, command: Sequence[str] = ()) -> None:
        self.folder = folder
        self._command = list(command)
        self._tail = None if command else Tail(folder / PROGRESS)  # before the start, the file is that of an older one

    def start(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        process = start_detached(self._command, log=self.folder / LOG, out=self.folder / PROGRESS)
        self._tail = Tail(self.folder / PROGRESS)
        return process

    def is_alive(self) -> bool:
        return holder(self.folder / LOCK) is not None

    def read(self) -> list[ExperimentEvent]:
        return parsed(self._tail.read(), from_line) if self._tail is not None else []

    def describe(self, ending: Ending) -> str:
        if ending.code is None or ending.code in ENDED_AS_ASKED:
            return ""
        ended = f"The experiment ended with exit code {ending.code}; see the log in its folder."
        return last_words(self.folder / LOG) or ended


class Experiments(QObject):
    """Starts or follows at most one experiment at a time."""

    began = Signal(str)  # the experiment's name
    events = Signal(object)  # tuple[ExperimentEvent, ...]
    over = Signal(str)  # "" or why it failed

    def __init__(self, parent: QObject | None = None, *, command: Sequence[str] = EXPERIMENT) -> None:
        super().__init__(parent)
        self._command = command
        self._thread: Follower | None = None
        self._folder = Path()

    @property
    def running(self) -> str:
        """The name of the running experiment, "" for none."""
        return self._folder.name if self._thread is not None else ""

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
            running = next((f for f in sorted(folder.iterdir()) if f.is_dir() and holder(f / LOCK) is not None), None)
            if running is not None:
                self._follow(running, [])

    def stop(self) -> None:
        """Ask the experiment to stop; finished trainings are kept."""
        if self._thread is None:
            return
        self._thread.interrupt()
        pid = None if self._thread.is_own else holder(self._folder / LOCK)
        if pid is not None:
            interrupt(pid)

    def leave(self) -> None:
        """Stop following the experiment, which continues."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.leave()
            thread.deleteLater()

    def _follow(self, folder: Path, command: Sequence[str]) -> None:
        if self._thread is not None:
            return
        child = ExperimentChild(folder, command=command)
        thread = Follower(child, start=bool(command), parent=self)
        self._thread, self._folder = thread, folder
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
