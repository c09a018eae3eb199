"""One process of a search: takes trials, trains them in parallel and prunes poor ones until all trials have ended."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import UserError
from training.processes.locks import is_held
from training.search.plan import (
    DATABASE,
    STOP,
    WORKERS,
    TrialInfo,
    alone,
    read_labels,
    read_plan,
    worker,
    write_trials,
)
from training.search.rungs import STEPS
from training.search.study import BEAT, HOST, PRUNING, RUN, WORKER, Study, storage_in_use
from training.search.trial_run import TrialRun, can_go_on
from training.storage.runs.new_run import write_run
from training.storage.runs.run import Run
from training.storage.runs.start import TRAIN

_POLL_SECONDS = 0.1
_IDLE_SECONDS = 0.5  # between polls of the storage while only other processes train
_TABLE_SECONDS = 5.0  # between updates with other processes' results
BEAT_SECONDS = 20.0  # between heartbeats for other machines
_HOPELESS = 3  # if this many trials have ended and all failed, the settings are not the cause
SILENT_SECONDS = 120.0  # without a heartbeat before a trial of another machine is taken over


@dataclass(frozen=True)
class TrialEvent:
    """A trial of this process. kind: "started", "reported" (passed a rung) or "ended"."""

    kind: str
    trial: TrialInfo


class Worker:
    """Runs trials of the search in `folder`, `jobs` at a time. url: Optuna's storage, by default a file in the folder.

    Trials of a killed process are taken over: a run that is still training is followed, an interrupted one is resumed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        jobs: int = 1,
        url: str = "",
        on_event: Callable[[TrialEvent], None] = lambda _: None,
        command: Sequence[str] = TRAIN,
    ) -> None:
        self.folder, self.jobs, self.plan = folder, jobs, read_plan(folder)
        self._labels = read_labels(folder)
        with alone(folder):  # two at once would both create the tables
            self.study = Study(self.plan, url or f"sqlite:///{folder / DATABASE}")
        self._on_event, self._command = on_event, command
        self._runs_dir = folder.parent.parent / "runs"
        self._runs: dict[int, TrialRun] = {}
        self._name, self._host = uuid.uuid4().hex, socket.gethostname()
        self._beats = _Beats()
        self._told = self._beat = -1e9

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """Search until all trials have ended (True) or a stop is requested (False), after stopping all runs."""
        (self.folder / STOP).unlink(missing_ok=True)
        with worker(self.folder, self._name), storage_in_use():
            try:
                return self._loop(should_stop)
            finally:
                for trial_run in self._runs.values():  # left only after an error: nothing would follow them
                    trial_run.stop()
                self._tell_table()

    def _loop(self, should_stop: Callable[[], bool]) -> bool:
        while True:
            stopping = should_stop() or (self.folder / STOP).exists()
            for trial_run in list(self._runs.values()):
                self._follow(trial_run, stopping=stopping)
            if stopping and not self._runs:
                return False
            if not stopping:
                self._fill()
                if not self._runs and self._all_ended():
                    return True
            self._sign_of_life()
            time.sleep(_POLL_SECONDS if self._runs else _IDLE_SECONDS)

    def _all_ended(self) -> bool:
        return sum(trial.ended for trial in self.study.trials()) >= self.plan.trials

    # ---- taking trials

    def _fill(self) -> None:
        while len(self._runs) < self.jobs:
            number = self._take()
            if number is None:
                return
            self._begin(number)

    def _take(self) -> int | None:
        """The number of an abandoned trial, or of a new one; None if there is none to take."""
        now = time.monotonic()
        if self._runs and now - self._told < _IDLE_SECONDS:
            return None
        with alone(self.folder):
            for number, attributes in self.study.under_way().items():
                if number not in self._runs and self._is_left(number, attributes, now):
                    here = attributes.get(HOST) == self._host
                    self.study.mark(number, **self._ours(), **{} if here else {RUN: ""})
                    return number
            return self.study.ask(**self._ours())

    def _ours(self) -> dict[str, str]:
        return {WORKER: self._name, HOST: self._host}

    def _is_left(self, number: int, attributes: dict[str, str], now: float) -> bool:
        if attributes.get(HOST) == self._host and WORKER in attributes:
            return not is_held(self.folder / WORKERS / attributes[WORKER])
        return self._beats.silent(number, str(attributes.get(BEAT, "")), now) > SILENT_SECONDS

    def _begin(self, number: int) -> None:
        attributes = self.study.under_way().get(number, {})
        run, pruning = Run(self._runs_dir / (attributes.get(RUN) or "-")), bool(attributes.get(PRUNING))
        if not run.path.is_dir() or not (pruning or can_go_on(run)):
            run, pruning = self._make_run(number), False
            self.study.mark(number, **{RUN: run.name, PRUNING: ""})
        self._runs[number] = TrialRun(number, run, start=not pruning, command=self._command)
        if pruning:
            self._runs[number].stop()
        self._tell("started", number)

    def _make_run(self, number: int) -> Run:
        config = self.plan.trial_config(self.study.params(number))
        if config.machine.threads == 0 and self.jobs > 1:
            config = config.changed(threads=max(1, (os.cpu_count() or 1) // self.jobs))
        mark = f"{self.plan.name}/{number}"
        return write_run(self._runs_dir, config, self._labels, search=mark)

    # ---- following trials

    def _follow(self, trial_run: TrialRun, *, stopping: bool) -> None:
        over = trial_run.is_over()  # checked before reading
        errors = dict(trial_run.poll())
        if errors:
            hopeless = self.study.report(trial_run.number, errors)
            if hopeless and not trial_run.stopping and not over:
                self.study.mark(trial_run.number, **{PRUNING: f"at {max(errors) / STEPS:.0%} of its budget"})
                trial_run.stop()
            self._tell("reported", trial_run.number)
        if over:
            self._end(trial_run, stopping=stopping)
        elif stopping and not trial_run.stopping:
            trial_run.stop()

    def _end(self, trial_run: TrialRun, *, stopping: bool) -> None:
        """Record how a trial ended, unless it was only stopped with the search and will be resumed."""
        number, outcome = trial_run.number, trial_run.outcome()
        pruning = self.study.under_way().get(number, {}).get(PRUNING, "")
        del self._runs[number]
        if outcome.reason == "stopped" and stopping and not pruning:
            return
        trial_run.run.resume.unlink(missing_ok=True)  # the largest file of a run, no longer needed
        if outcome.reason == "done":
            self.study.finish(number, outcome.rmse)
        elif pruning or outcome.reason == "stopped":
            self.study.stop_early(
                number, f"Stopped {pruning}: worse than other trials." if pruning else "Stopped by the user."
            )
        else:
            self.study.fail(number, outcome.message)
        self._tell("ended", number)
        self._give_up_if_all_fail()

    def _give_up_if_all_fail(self) -> None:
        ended = [trial for trial in self.study.trials() if trial.ended]
        if len(ended) >= _HOPELESS and all(trial.state == "failed" for trial in ended):
            raise UserError(f"All {len(ended)} trials of the search failed; the last error was: {ended[-1].message}")

    # ---- reporting

    def _tell(self, kind: str, number: int) -> None:
        trials = self._tell_table()
        self._on_event(TrialEvent(kind, next(t for t in trials if t.number == number)))

    def _tell_table(self) -> list[TrialInfo]:
        trials = self.study.trials()
        write_trials(self.folder, trials)
        self._told = time.monotonic()
        return trials

    def _sign_of_life(self) -> None:
        now = time.monotonic()
        if now - self._beat > BEAT_SECONDS:
            self._beat = now
            for number in self._runs:
                self.study.mark(number, **{BEAT: uuid.uuid4().hex})
        if now - self._told > _TABLE_SECONDS:
            self._tell_table()


class _Beats:
    """How long trials of other machines have sent no heartbeat, by the local clock."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[str, float]] = {}

    def silent(self, number: int, beat: str, now: float) -> float:
        """Seconds since the heartbeat of a trial last changed."""
        last, since = self._seen.get(number, ("", now))
        if beat != last or number not in self._seen:
            self._seen[number] = (beat, now)
            return 0.0
        return now - since
