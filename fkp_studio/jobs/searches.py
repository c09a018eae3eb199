"""Random searches of the open project, each in a child process that continues when the window is closed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from fkp_studio.background.tasks import run_task
from fkp_studio.jobs.child import let_go
from training.errors import UserError
from training.search.plan import SearchInfo, SearchPlan, list_searches, log_path, request_stop
from training.storage.runs.settings.recipes import recipe_space
from training.storage.runs.settings.search_space import number, text_of

SEARCH: tuple[str, ...] = (sys.executable, "-m", "training.cli", "search")
LOOK_MS = 700  # between reads while a search is running


class Searching(QObject):
    """Starts, stops and lists the searches. Belongs to the interface thread; files are read in the background."""

    changed = Signal()  # a search, a trial or a running state changed
    failed = Signal(str)  # why a search could not start or failed

    def __init__(self, parent: QObject | None = None, *, command: Sequence[str] = SEARCH) -> None:
        super().__init__(parent)
        self._command = tuple(command)
        self._project: Path | None = None
        self._infos: list[SearchInfo] = []
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._starting: set[str] = set()
        self._stopping: set[str] = set()
        self._reading = self._again = False
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.look)

    def set_project(self, project: Path | None) -> None:
        """Switch to another project's searches; those of the former continue."""
        self.leave()
        self._project, self._infos = project, []
        self._starting, self._stopping = set(), set()
        self.changed.emit()
        self.look()

    def infos(self) -> list[SearchInfo]:
        """All searches by name, as last read."""
        return self._infos

    def info(self, name: str) -> SearchInfo | None:
        """The search of this name; None if unknown."""
        return next((info for info in self._infos if info.plan.name == name), None)

    def searching(self) -> list[str]:
        """The names of the running searches."""
        going = {info.plan.name for info in self._infos if info.running}
        return sorted(going | set(self._processes) | self._starting)

    def free_name(self, recipe: str) -> str:
        """An unused name for a search of this recipe: `cnn-6`, `cnn-6-2`..."""
        taken = {info.plan.name for info in self._infos}
        names = (recipe if n == 1 else f"{recipe}-{n}" for n in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)

    def start(self, plan: SearchPlan, *, jobs: int) -> None:
        """Start or continue this search in the background. jobs: trials trained at once."""
        project = self._project
        if project is None or plan.name in self._processes or plan.name in self._starting:
            return
        words = [
            *self._command,
            str(project),
            *arguments(plan, jobs=jobs, begun=self.info(plan.name) is not None),
        ]
        log = log_path(project, plan.name)
        self._starting.add(plan.name)
        self._stopping.discard(plan.name)
        run_task(
            _start,
            words,
            log,
            done=lambda process: self._started(project, plan.name, process),
            failed=lambda error: self._not_started(project, plan.name, error),
            owner=self,
        )
        self.changed.emit()

    def stop(self, name: str) -> None:
        """Ask a search to stop its trials, which can be resumed later, and end."""
        info, process = self.info(name), self._processes.get(name)
        if process is not None and (info is None or not info.running):
            process.terminate()  # it is still loading and removes the stop file when it begins
        elif info is not None:
            with suppress(FileNotFoundError):  # the folder was removed meanwhile
                request_stop(info.path)
        self._stopping.add(name)
        self.changed.emit()

    def is_stopping(self, name: str) -> bool:
        """Whether a search was asked to stop and is still running."""
        return name in self._stopping and name in self.searching()

    def stop_all(self) -> None:
        """Stop all running searches."""
        for name in self.searching():
            self.stop(name)

    def look(self) -> None:
        """Read the searches in the background; a request during a read causes one more read."""
        if self._project is None or self._reading:
            self._again = self._reading
            return
        self._reading = True
        run_task(
            _look, self._project, dict(self._processes), done=self._take, failed=self._say, ended=self._read, owner=self
        )

    def leave(self) -> None:
        """Stop following all searches, which continue."""
        self._timer.stop()
        for process in self._processes.values():
            let_go(process)
        self._processes = {}

    # ---- inside

    def _started(self, project: Path, name: str, process: subprocess.Popen[bytes]) -> None:
        if project != self._project:  # another project was opened meanwhile
            let_go(process)
            return
        self._starting.discard(name)
        self._processes[name] = process
        if name in self._stopping:  # requested while it was being started
            process.terminate()
        self._timer.start()
        self.changed.emit()

    def _not_started(self, project: Path, name: str, error: Exception) -> None:
        if project == self._project:
            self._starting.discard(name)
            self._say(error)

    def _take(self, found: tuple[Path, list[SearchInfo], dict[str, str]]) -> None:
        project, infos, ended = found
        if project != self._project:
            return
        different = infos != self._infos or bool(ended)
        self._infos = infos
        for name, sentence in ended.items():
            self._processes.pop(name, None)
            if sentence:
                self.failed.emit(sentence)
        if different:
            self.changed.emit()

    def _read(self) -> None:
        self._reading = False
        if self._again:
            self._again = False
            self.look()
        if self.searching() and not self._timer.isActive():
            self._timer.start()
        elif not self.searching():
            self._timer.stop()

    def _say(self, error: Exception) -> None:
        self.failed.emit(str(error))


def arguments(plan: SearchPlan, *, jobs: int, begun: bool) -> list[str]:
    """The arguments of `fkp search PROJECT` for this plan; a search that exists needs only its name."""
    config = plan.config
    words = ["--name", plan.name, "--trials", str(plan.trials), "--jobs", str(jobs)]
    if begun:
        return words
    budget = ["--epochs", str(config.epochs)] if config.minutes is None else ["--minutes", number(config.minutes)]
    usual = recipe_space(config.recipe, config.variant)
    space = [f"{name}={text_of(dimension)}" for name, dimension in plan.space.items() if usual.get(name) != dimension]
    space += [f"{name}=off" for name in usual if name not in plan.space]
    return [
        *words, "--recipe", config.recipe, "--variant", config.variant, *budget, "--seed", str(config.seed),
        "--pruner", plan.pruner, "--set", f"device={config.device}", *(["--space", *space] if space else []),
    ]  # fmt: skip


def _start(words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the process in its own session with its output in `log`. Raises UserError."""
    try:
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as file:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
    except OSError as error:
        raise UserError(f"The search can't be started: {error.strerror or error}.") from error


def _look(
    project: Path, processes: Mapping[str, subprocess.Popen[bytes]]
) -> tuple[Path, list[SearchInfo], dict[str, str]]:
    """The searches, and of our processes those that ended: name -> error message, "" for none."""
    ended = {name: process.returncode for name, process in processes.items() if process.poll() is not None}
    asked = (0, -signal.SIGTERM, 128 + signal.SIGTERM)  # it finished, or was stopped while starting
    wrong = {name: "" if code in asked else _last_words(log_path(project, name)) for name, code in ended.items()}
    return project, list_searches(project), wrong


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    return next((line.strip() for line in reversed(lines) if line.strip()), "The search ended unexpectedly.")
