"""The queue of a project's trainings, kept beside its runs, so that it outlives every window.

`.queue.json` names the active run, which was started last, and the runs that wait, next first. One trains at a time:
whoever starts a run takes the lock `.queue.turn` and leaves it to the trainer, which holds it until it ends, however
it ends. So windows and `queue_watch` may claim the next run whenever they like: only one of them gets it, and none
while another run of the queue trains. (Windows does not pass locks on: there the turn is free until the trainer has
locked its run, which still keeps two trainers from one run.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from training.errors import UserError
from training.files.json_values import read_json
from training.files.replacing import replacing
from training.files.sentences import writing
from training.processes.locks import Lock, is_held
from training.storage.project.identity import identity
from training.storage.runs.folder import FOLDER_NAME, has_begun, is_running
from training.storage.runs.run import Run

FILE = ".queue.json"
_CHANGING, _TURN = ".queue.lock", ".queue.turn"
_PATIENCE = 5.0  # seconds for another program to end its change
_PROBE = 0.2  # seconds: `is_held` of another program takes a lock for an instant
_TRIES = 2  # starts of a run that ends before it begins, with nobody there who could say why


@dataclass(frozen=True)
class Entry:
    """A run in the queue. tries: how often it was started."""

    run: str
    resume: bool = False
    tries: int = 0


@dataclass(frozen=True)
class Claim:
    """A run that its holder has to start now. turn: the lock that the trainer takes over."""

    run: Run
    resume: bool
    turn: Lock


@dataclass
class _State:
    active: Entry | None = None
    waiting: list[Entry] = field(default_factory=list)


class RunQueue:
    """The queue of one project. Each call reads the file again. A file that cannot be read, or came with a copy of the
    project, is an empty queue."""

    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = runs_dir

    def waiting(self) -> list[str]:
        """The names of the runs that wait, next first. One that will be started again after a failed start is first."""
        state = self._read()
        again = state.active is not None and not self.is_busy() and self._starts_again(state.active)
        first = [state.active] if again and state.active is not None else []
        return [entry.run for entry in (*first, *state.waiting) if self._can_start(entry)]

    def active(self) -> str:
        """The name of the queue's run that trains or is starting; "" for none."""
        state = self._read()
        if state.active is None:
            return ""
        return state.active.run if self.is_busy() or is_running(self._run(state.active)) else ""

    def is_busy(self) -> bool:
        """Whether a trainer has the turn."""
        try:
            return is_held(self.runs_dir / _TURN)
        except OSError:
            return False

    def add(self, names: Sequence[str], *, resume: bool = False) -> None:
        """Add runs to the end, except those that are in the queue already. Raises UserError."""
        with self._changing() as state:
            known = {entry.run for entry in state.waiting}
            if state.active is not None and self._starts_again(state.active):
                known.add(state.active.run)
            state.waiting += [Entry(name, resume) for name in names if name not in known]

    def remove(self, name: str) -> None:
        """Take a run out of the queue, if it is there: one that trains goes on. Raises UserError."""
        with self._changing() as state:
            state.waiting = [entry for entry in state.waiting if entry.run != name]
            if state.active is not None and state.active.run == name and not self.is_busy():
                state.active = None

    def claim(self) -> Claim | None:
        """The run to start now; None while one trains or none waits. Raises UserError.

        Pass the claim to `start_claimed`, or release its turn.
        """
        if not (self.runs_dir / FILE).is_file() or self.is_busy():
            return None
        turn = Lock(self.runs_dir / _TURN)
        with writing(self.runs_dir):
            free = turn.acquire(wait=_PROBE)
        if not free:
            return None
        try:
            entry = self._take_next()
        except BaseException:
            turn.release()
            raise
        if entry is None:
            turn.release()
            return None
        return Claim(self._run(entry), entry.resume, turn)

    def _take_next(self) -> Entry | None:
        with self._changing() as state:
            active = state.active
            if active is not None and is_running(self._run(active)):
                return None
            again = [active] if active is not None and self._starts_again(active) else []
            waiting = [entry for entry in (*again, *state.waiting) if self._can_start(entry)]
            state.active = replace(waiting[0], tries=waiting[0].tries + 1) if waiting else None
            state.waiting = waiting[1:]
            return state.active

    def _starts_again(self, entry: Entry) -> bool:
        """Whether the active run never began: its starter and its trainer were killed, or it could not be started."""
        return not entry.resume and entry.tries < _TRIES and self._can_start(entry)

    def _can_start(self, entry: Entry) -> bool:
        run = self._run(entry)
        return run.config.is_file() and (entry.resume or not has_begun(run)) and not is_running(run)

    def _run(self, entry: Entry) -> Run:
        return Run(self.runs_dir / entry.run)

    def _project(self) -> int:
        """What tells this project from its copies: opening a stranger's copy must not start the trainings in it."""
        found = identity(self.runs_dir.parent)
        return 0 if found is None else found.inode

    @contextmanager
    def _changing(self) -> Iterator[_State]:
        """The state, which is written after the block if it was changed. Raises UserError."""
        lock = Lock(self.runs_dir / _CHANGING)
        with writing(self.runs_dir):
            if not lock.acquire(wait=_PATIENCE):
                raise UserError(f"The queue of trainings in {self.runs_dir} is in use by another program. Try again.")
        with lock:
            state = self._read()
            before = _values(state)
            yield state
            if _values(state) != before:
                with replacing(self.runs_dir / FILE) as file:
                    file.write(json.dumps({"project": self._project(), **_values(state)}, indent=1).encode())

    def _read(self) -> _State:
        try:
            values = read_json(self.runs_dir / FILE)
            if values["project"] != self._project():
                return _State()
            active = values["active"]
            return _State(None if active is None else _entry(active), [_entry(value) for value in values["waiting"]])
        except (OSError, ValueError, KeyError, TypeError):
            return _State()


def _values(state: _State) -> dict[str, Any]:
    active = None if state.active is None else asdict(state.active)
    return {"active": active, "waiting": [asdict(entry) for entry in state.waiting]}


def _entry(value: Any) -> Entry:
    """Raises ValueError for what is no run of this project: the file may be a stranger's."""
    name = str(value["run"])
    if not FOLDER_NAME.fullmatch(name) or Path(name).name != name or "\\" in name:
        raise ValueError(f"{name!r} is no run")
    return Entry(name, bool(value["resume"]), int(value["tries"]))
