"""The runs of the open project as the window knows them: list, histories, notes, and which the plots show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

from fkp_studio.background.tasks import run_task
from fkp_studio.jobs.run_curves import RunHistory, read_history
from fkp_studio.look.style import theme
from training.faces.labels.schema import KeypointSchema
from training.storage.runs.events import Event, Progress
from training.storage.runs.listing import RunInfo, list_runs
from training.storage.runs.model.starters import starter_runs
from training.storage.runs.run import Run

SHOWN_AT_FIRST = 4  # newest runs shown in the plots when a project is opened


class RunBook(QObject):
    """Belongs to the interface thread; the list is read in the background, and again when the folder changes."""

    listed = Signal()  # the list was read again
    changed = Signal(str)  # this run's visibility, note or history changed
    happened = Signal(str, object)  # (run, Event): just added to its history

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._dir: Path | None = None
        self._schema: KeypointSchema | None = None
        self._infos: dict[str, RunInfo] = {}
        self._histories: dict[str, RunHistory] = {}
        self._followed: set[str] = set()
        self._anew: set[str] = set()  # followed without events yet: the older curves are still shown
        self._shown: set[str] = set()
        self._notes: dict[str, str] = {}
        self._reading = self._again = self._listed_once = False
        self._watcher = QFileSystemWatcher(self)
        self._soon = QTimer(self, singleShot=True, interval=200)
        self._soon.timeout.connect(self.refresh)
        self._watcher.directoryChanged.connect(lambda _path: self._soon.start())

    # ---- which project

    @property
    def folder(self) -> Path | None:
        """The folder of the open project's runs; None without a project."""
        return self._dir

    def set_folder(self, runs_dir: Path | None, schema: KeypointSchema | None = None) -> None:
        """Switch to another project's runs, or to none; everything about the former is dropped.

        schema: the project's keypoints; starters that predict them are listed before its runs.
        """
        if self._dir is not None and self._watcher.directories():
            self._watcher.removePaths(self._watcher.directories())
        self._dir, self._schema = runs_dir, schema
        for known in (self._infos, self._histories, self._notes):
            known.clear()
        for names in (self._followed, self._anew, self._shown):
            names.clear()
        self._listed_once = False
        self.listed.emit()
        self.refresh()

    def refresh(self) -> None:
        """Read the list in the background; a request during a read causes one more read."""
        if self._dir is None:
            return
        if self._reading:
            self._again = True
            return
        if self._dir.is_dir() and not self._watcher.directories():
            self._watcher.addPath(str(self._dir))
        self._reading = True
        folder, schema = self._dir, self._schema
        run_task(
            list_models, folder, schema, done=lambda infos: self._take(folder, infos), ended=self._read_on, owner=self
        )

    def _take(self, folder: Path, infos: list[RunInfo]) -> None:
        if folder != self._dir:
            return
        self._infos = {info.name: info for info in infos}
        if not self._listed_once:
            self._listed_once = True
            own = [name for name, info in self._infos.items() if not info.search and not info.is_starter]
            self._shown.update(own[-SHOWN_AT_FIRST:])
        for name in self._infos:
            if name in self._shown:
                self._load(name)
        self.listed.emit()

    def _read_on(self) -> None:
        self._reading = False
        if self._again:
            self._again = False
            self.refresh()

    # ---- what is known of a run

    def names(self) -> list[str]:
        """The names of the starters, then of all runs by number."""
        return list(self._infos)

    def info(self, name: str) -> RunInfo | None:
        """The run's info as last read; None for an unknown run."""
        return self._infos.get(name)

    def infos(self) -> list[RunInfo]:
        """The starters, then all runs by number."""
        return list(self._infos.values())

    def history(self, name: str) -> RunHistory:
        """The run's history as far as known; empty until read."""
        return self._histories.get(name) or RunHistory()

    def note(self, name: str) -> str:
        """Why a run failed or was interrupted; else ""."""
        info = self._infos.get(name)
        if info is None or self._notes.get(name):
            return self._notes.get(name, "")
        return _interruption(info) if info.status == "interrupted" else info.message

    def set_note(self, name: str, sentence: str) -> None:
        """Set the note of a run; "" removes it."""
        self._notes[name] = sentence
        self.changed.emit(name)

    def set_status(self, name: str, status: str) -> None:
        """Set the status of a run that has ended, before the list is read again."""
        if name in self._infos:
            self._infos[name] = replace(self._infos[name], status=status)

    def colour(self, name: str) -> str:
        """The run's colour, the same everywhere: assigned by run number."""
        info = self._infos.get(name)
        number = info.number if info else int(name.split("-")[0]) if name[:1].isdigit() else 1
        return theme.run_colour(number - 1)

    # ---- what the plots show

    def is_shown(self, name: str) -> bool:
        """Whether the plots show this run."""
        return name in self._shown

    def shown(self) -> list[str]:
        """The runs that the plots show, by number."""
        return [name for name in self._infos if name in self._shown]

    def set_shown(self, name: str, shown: bool) -> None:
        """Show or hide a run in all plots."""
        if shown == (name in self._shown):
            return
        (self._shown.add if shown else self._shown.discard)(name)
        if shown:
            self._load(name)
        self.changed.emit(name)

    # ---- events

    def follow(self, name: str) -> None:
        """Expect this run's events through `add`, from the first; until then the known curves remain."""
        self._followed.add(name)
        self._anew.add(name)
        self._histories.setdefault(name, RunHistory())
        self._notes.pop(name, None)
        self._shown.add(name)

    def add(self, name: str, events: tuple[Event, ...]) -> None:
        """Add events of a followed run; `happened` is emitted for each, but only for the last Progress."""
        if name not in self._followed:
            return
        if name in self._anew:
            self._anew.discard(name)
            self._histories[name] = RunHistory()
        history = self._histories[name]
        last = max((i for i, e in enumerate(events) if isinstance(e, Progress)), default=-1)
        for event in events:
            history.add(event)
        for i, event in enumerate(events):
            if i == last or not isinstance(event, Progress):
                self.happened.emit(name, event)

    def forget(self, name: str) -> None:
        """Drop a run whose folder was removed."""
        self._infos.pop(name, None)
        self._histories.pop(name, None)
        self._followed.discard(name)
        self._anew.discard(name)
        self._shown.discard(name)
        self.listed.emit()

    def _load(self, name: str) -> None:
        info = self._infos.get(name)
        if info is None or name in self._histories:
            return
        self._histories[name] = RunHistory()
        run_task(read_history, info.run, done=self._loaded(name, info.run), owner=self)

    def _loaded(self, name: str, run: Run) -> Callable[[RunHistory], None]:
        def take(history: RunHistory) -> None:
            info = self._infos.get(name)
            if info is not None and info.run == run and name not in self._followed:
                self._histories[name] = history
                self.changed.emit(name)

        return take


def list_models(runs_dir: Path, schema: KeypointSchema | None) -> list[RunInfo]:
    """The starters that predict these keypoints, and the runs of the folder."""
    return [*([] if schema is None else starter_runs(runs_dir, schema)), *list_runs(runs_dir)]


def _interruption(info: RunInfo) -> str:
    """A note on a run that ended unexpectedly while no window was open."""
    kept = f"the model of epoch {info.best.epoch} is kept" if info.best and info.has_model else "no model was saved"
    after = f"after epoch {info.last.epoch}" if info.last else "before its first epoch"
    return f"Interrupted {after} (killed, or the computer was switched off); {kept}. Resume?"
