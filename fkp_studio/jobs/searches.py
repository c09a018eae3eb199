"""Random searches of the open project, each in a child process that continues when the window is closed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from fkp_studio.background.follower import Ending, Follower
from fkp_studio.background.tasks import run_task
from training.processes.children import ENDED_AS_ASKED, last_words, start_detached
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
        self._threads: dict[str, Follower] = {}  # of the searches that started here
        self._stopping: set[str] = set()
        self._reading = self._again = False
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.look)

    def set_project(self, project: Path | None) -> None:
        """Switch to another project's searches; those of the former continue."""
        self.leave()
        self._project, self._infos = project, []
        self._stopping = set()
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
        return sorted(going | set(self._threads))

    def free_name(self, recipe: str) -> str:
        """An unused name for a search of this recipe: `cnn-6`, `cnn-6-2`..."""
        taken = {info.plan.name for info in self._infos}
        names = (recipe if n == 1 else f"{recipe}-{n}" for n in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)

    def start(self, plan: SearchPlan, *, jobs: int) -> None:
        """Start or continue this search in the background. jobs: trials trained at once."""
        project = self._project
        if project is None or plan.name in self._threads:
            return
        words = [
            *self._command,
            str(project),
            *arguments(plan, jobs=jobs, begun=self.info(plan.name) is not None),
        ]
        thread = Follower(_SearchChild(words, log_path(project, plan.name)), start=True, parent=self)
        self._threads[plan.name] = thread
        self._stopping.discard(plan.name)
        thread.over.connect(lambda sentence: self._over(plan.name, thread, sentence))
        thread.start()
        self._timer.start()
        self.changed.emit()

    def stop(self, name: str) -> None:
        """Ask a search to stop its trials, which can be resumed later, and end."""
        info, thread = self.info(name), self._threads.get(name)
        if thread is not None and (info is None or not info.running):
            thread.interrupt()  # it is still loading and removes the stop file when it begins
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
        run_task(_look, self._project, done=self._take, failed=self._say, ended=self._read, owner=self)

    def leave(self) -> None:
        """Stop following all searches, which continue."""
        self._timer.stop()
        threads, self._threads = self._threads, {}
        for thread in threads.values():
            thread.leave()
            thread.deleteLater()

    # ---- inside

    def _over(self, name: str, thread: Follower, sentence: str) -> None:
        if self._threads.get(name) is not thread:
            return  # queued from a thread that was left
        del self._threads[name]
        thread.wait()
        thread.deleteLater()
        if sentence:
            self.failed.emit(sentence)
        self.changed.emit()
        self.look()

    def _take(self, found: tuple[Path, list[SearchInfo]]) -> None:
        project, infos = found
        if project == self._project and infos != self._infos:
            self._infos = infos
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
    budget = (
        ["--epochs", str(config.budget.epochs)]
        if config.budget.minutes is None
        else ["--minutes", number(config.budget.minutes)]
    )
    usual = recipe_space(config.recipe, config.variant)
    space = [f"{name}={text_of(dimension)}" for name, dimension in plan.space.items() if usual.get(name) != dimension]
    space += [f"{name}=off" for name in usual if name not in plan.space]
    words += ["--recipe", config.recipe, "--variant", config.variant, *budget, "--seed", str(config.seed)]
    words += ["--pruner", plan.pruner, "--set", f"device={config.machine.device}"]
    return [*words, "--space", *space] if space else words


class _SearchChild:
    """Runs a search and writes its output to `log`; its trials are read with all searches of the project."""

    title = "search"

    def __init__(self, words: Sequence[str], log: Path) -> None:
        self._words, self._log = words, log

    def start(self) -> subprocess.Popen[bytes]:
        self._log.parent.mkdir(exist_ok=True)
        return start_detached(self._words, log=self._log)

    def is_alive(self) -> bool:
        return True  # never called: only searches started here are followed

    def read(self) -> tuple[object, ...]:
        return ()

    def describe(self, ending: Ending) -> str:
        return "" if ending.code in ENDED_AS_ASKED else last_words(self._log) or "The search ended unexpectedly."


def _look(project: Path) -> tuple[Path, list[SearchInfo]]:
    return project, list_searches(project)
