"""The run of one trial, followed from outside: started, resumed, or adopted while it is still training."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from training.search.rungs import Rungs
from training.storage.runs.events import Event, RunFailed, RunFinished, RunStarted
from training.storage.runs.folder import can_resume, is_running, load_config, read_events, request_stop
from training.storage.runs.listing import read_run
from training.storage.runs.run import Run
from training.storage.runs.start import start_training


@dataclass(frozen=True)
class Outcome:
    """How a run ended. reason: done, stopped or failed. rmse: the best on val, px; NaN if there is none."""

    reason: str
    rmse: float
    message: str


class TrialRun:
    """Follows the events of a run until its training has ended.

    start: start or resume the run unless another process is training it. Raises OSError if it cannot be started.
    """

    def __init__(self, number: int, run: Run, *, start: bool, command: Sequence[str]) -> None:
        self.number, self.run = number, run
        self.stopping = False
        self._rungs = Rungs(load_config(run))
        self._offset = 0
        self._process = _start(run, command) if start else None

    def poll(self) -> list[tuple[int, float]]:
        """The (rung, error) pairs measured since the last call."""
        events, self._offset = read_events(self.run, after=self._offset)
        return [news for event in events for news in self._rungs.feed(event)]

    def stop(self) -> None:
        """Ask the run to end after its batch."""
        self.stopping = True
        request_stop(self.run)

    def is_over(self) -> bool:
        """Whether training has ended; everything it wrote can then be read."""
        if self._process is not None:
            return self._process.poll() is not None
        return not is_running(self.run)

    def outcome(self) -> Outcome:
        """How the run ended; call it once `is_over`."""
        events, _ = read_events(self.run, progress=False)
        ends = [e for e in events if isinstance(e, (RunStarted, RunFinished, RunFailed))]
        end = ends[-1] if ends else None
        if isinstance(end, RunFinished) and math.isfinite(end.rmse):
            return Outcome(end.reason, end.rmse, "")
        if isinstance(end, RunFailed):
            return Outcome("failed", math.nan, f"{end.message} {end.hint}".strip())
        return Outcome("failed", math.nan, self._last_word(end))

    def _last_word(self, end: Event | None) -> str:
        if isinstance(end, RunFinished):
            return "Its error is not a number."
        code = self._process.returncode if self._process is not None else None
        if code is not None and code < 0:
            return f"Its process was killed (signal {-code}); possibly out of memory."
        return f"Its process ended without a message{'' if code is None else f' (exit code {code})'}; see its log."


def _start(run: Run, command: Sequence[str]) -> subprocess.Popen[bytes] | None:
    """Start or resume the run, unless it is training or has ended."""
    status = read_run(run).status
    if status in ("running", "done", "failed"):
        return None
    run.stop.unlink(missing_ok=True)
    return start_training(run, resume=status != "queued", command=command)


def can_go_on(run: Run) -> bool:
    """Whether an interrupted trial's run can be continued exactly."""
    status = read_run(run).status
    return status in ("queued", "running", "done", "failed") or can_resume(run)
