"""Runs the missing trainings of an experiment, each in its own single-threaded process, several in parallel.

On a stop (Ctrl-C) running trainings save their state; the same command resumes them. If this process is killed, running
trainings finish by themselves, and the same command picks up their results.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from training.experiments.experiment_events import ExperimentEvent, RunProgress
from training.experiments.plan import Job, find_done
from training.storage.runs.events import EpochDone, Event, Progress
from training.storage.runs.folder import is_running, read_events, request_stop
from training.storage.runs.inputs.snapshot import Snapshot
from training.storage.runs.listing import RunInfo, list_runs, read_run
from training.storage.runs.new_run import write_run
from training.storage.runs.run import Run
from training.storage.runs.start import TRAIN, start_training

POLL_SECONDS = 0.3
Tell = Callable[[ExperimentEvent], None]


@dataclass
class _Active:
    """A running training. process: None if an earlier command started it."""

    job: Job
    run: Run
    process: subprocess.Popen[bytes] | None
    offset: int = 0
    done: float = 0.0
    epoch: int = 0
    rmse: float = float("nan")
    told: tuple = field(default=())

    def is_over(self) -> bool:
        return self.process.poll() is not None if self.process is not None else not is_running(self.run)

    def read(self) -> None:
        """Process the events written since the last call."""
        events, self.offset = read_events(self.run, after=self.offset)
        for event in events:
            self._note(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.done = event.done
        elif isinstance(event, EpochDone):
            self.epoch = event.epoch
            self.rmse = event.rmse if event.best else self.rmse

    def progress(self, status: str, sentence: str = "") -> RunProgress:
        done = 1.0 if status == "done" else self.done
        return RunProgress(
            self.job.arm.name, self.job.seed, self.run.name, status, round(done, 3), self.epoch, self.rmse, sentence
        )


class Runner:
    """Trains the jobs of a plan in the project's runs folder.

    snapshot: the labels and split shared by all. side_by_side: number of parallel trainings. command: trains one run.
    """

    def __init__(
        self, runs_dir: Path, snapshot: Snapshot, *, side_by_side: int, tell: Tell, command: Sequence[str] = TRAIN
    ) -> None:
        self._runs_dir, self._snapshot = runs_dir, snapshot
        self._side_by_side, self._tell, self._command = side_by_side, tell, command
        self._active: list[_Active] = []
        self.finished: dict[tuple[str, int], RunInfo] = {}
        self.failures: dict[tuple[str, int], str] = {}

    def train(self, plan: Sequence[Job], stop: threading.Event) -> dict[tuple[str, int], RunInfo]:
        """The finished runs by (arm, seed); fewer than planned after a stop or a failure (see `failures`).

        If a run cannot be created or started, the running ones are asked to stop, as nothing would follow them.
        """
        try:
            return self._train(plan, stop)
        except BaseException:
            for active in self._active:
                with suppress(OSError):
                    request_stop(active.run)
            raise

    def _train(self, plan: Sequence[Job], stop: threading.Event) -> dict[tuple[str, int], RunInfo]:
        known = list_runs(self._runs_dir)
        waiting = [job for job in plan if not self._is_done(job, known)]
        while (waiting and not stop.is_set()) or self._active:
            while waiting and len(self._active) < self._side_by_side and not stop.is_set():
                self._start(waiting.pop(0), known)
            stop.wait(POLL_SECONDS) if not stop.is_set() else self._ask_to_stop()
            self._look()
        return self.finished

    def _is_done(self, job: Job, known: Sequence[RunInfo]) -> bool:
        found = find_done(job, known, self._snapshot)
        if found is None or found.status != "done":
            return False
        self._finish(_Active(job, found.run, None), found)
        return True

    def _start(self, job: Job, known: Sequence[RunInfo]) -> None:
        found = find_done(job, known, self._snapshot)
        if found is None:
            run = write_run(self._runs_dir, job.config, self._snapshot)
            self._add(job, run, resume=False)
        elif found.status == "running":
            self._active.append(_Active(job, found.run, None))
        else:
            self._add(job, found.run, resume=True)

    def _add(self, job: Job, run: Run, *, resume: bool) -> None:
        process = start_training(run, resume=resume, command=self._command)
        self._active.append(_Active(job, run, process))

    def _ask_to_stop(self) -> None:
        for active in self._active:
            request_stop(active.run)
        threading.Event().wait(POLL_SECONDS)

    def _look(self) -> None:
        for active in list(self._active):
            over = active.is_over()  # checked before reading, so that all of its output is there
            active.read()
            if over:
                self._active.remove(active)
                self._end(active)
            else:
                self._say(active, "running")

    def _end(self, active: _Active) -> None:
        info = read_run(active.run)
        if info.status == "done" and info.has_model:
            self._finish(active, info)
        elif info.status == "stopped":
            self.failures[active.job.key] = f"{info.name} was stopped; the same command continues it."
            self._say(active, "stopped")
        else:
            sentence = info.message or f"The training of {info.name} ended without a message; see its log."
            self.failures[active.job.key] = sentence
            self._say(active, "failed", sentence)

    def _finish(self, active: _Active, info: RunInfo) -> None:
        # a finished run cannot be resumed, and this is by far its largest file
        info.run.resume.unlink(missing_ok=True)
        active.read()
        self.finished[active.job.key] = info
        self._say(active, "done")

    def _say(self, active: _Active, status: str, sentence: str = "") -> None:
        event = active.progress(status, sentence)
        if active.told != (event.status, event.epoch, round(event.done, 2)):
            active.told = (event.status, event.epoch, round(event.done, 2))
            self._tell(event)
