"""The events of a run on the disk: whole lines in events.jsonl, and a table of the epochs beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from io import FileIO
from pathlib import Path

from training.files.regular import open_regular
from training.storage.runs.events import (
    CheckpointSaved,
    EpochDone,
    Event,
    Progress,
    RunFailed,
    RunFinished,
    RunStarted,
    Trouble,
    from_line,
    to_line,
)
from training.storage.runs.folder import read_events
from training.storage.runs.metrics_csv import MetricsFile
from training.storage.runs.run import Run


class EventLog:
    """Appends events, one whole line at a time; all but progress are brought to the disk.

    Opened by the first event. Unbuffered: what could not be written is not tried again when the file is closed, over the
    error that matters.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._file: FileIO | None = None
        self._metrics: MetricsFile | None = None
        self._whole = self._said = 0  # where the last line ends; the last one other than progress

    def write(self, event: Event) -> None:
        """Raises OSError."""
        if self._metrics is None:
            self._metrics = MetricsFile(self._run, read_events(self._run, progress=False)[0])
        self._append(event)
        self._metrics.write(event)

    def last_word(self, event: RunFailed) -> None:
        """Write why the run failed, as far as the disk allows: in place of the last progress if it is full."""
        with suppress(OSError):
            self._append(event)
            return
        with suppress(OSError):
            self._cut(self._said)
            self._append(replace(event, traceback=""))

    def close(self) -> None:
        with suppress(OSError):  # every line is there already, or its error was told
            if self._file is not None:
                self._file.close()

    def _append(self, event: Event) -> None:
        file = self._opened()
        data = memoryview(to_line(event, time=time.time()).encode() + b"\n")
        end = self._whole + len(data)
        try:
            while data:  # a disk that is nearly full takes a part
                data = data[file.write(data) :]
            if not isinstance(event, Progress):
                os.fsync(file.fileno())
        except OSError:
            self._cut(self._whole)
            raise
        self._whole = end
        if not isinstance(event, Progress):
            self._said = end

    def _opened(self) -> FileIO:
        if self._file is None:
            keep_lines(self._run.events, lambda _: True)  # a line that was cut off would swallow the next
            self._file = FileIO(self._run.events, "ab")
            self._whole = self._said = os.fstat(self._file.fileno()).st_size
        return self._file

    def _cut(self, end: int) -> None:
        """Remove what was written after `end`, or as much as the disk lets us."""
        with suppress(OSError):
            os.ftruncate(self._opened().fileno(), end)
            self._whole = end


def cut_events(run: Run, epoch: int, batch: int) -> None:
    """Cut events.jsonl, which may be lost, back to the first `epoch` epochs and `batch` batches of the next.

    So no epoch comes twice. Raises OSError.
    """
    keep_lines(run.events, lambda line: _is_before(line, epoch, batch))


def keep_lines(path: Path, wanted: Callable[[bytes], bool]) -> None:
    """Cut a file, if it exists, before its first line that is not wanted or not whole. Raises OSError."""
    if not path.exists():
        return
    keep = 0
    with open_regular(path) as file:
        for line in file:
            if not line.endswith(b"\n") or not wanted(line):
                break
            keep += len(line)
        if keep == os.fstat(file.fileno()).st_size:
            return
    os.truncate(path, keep)


def _is_before(line: bytes, epoch: int, batch: int) -> bool:
    try:
        event = from_line(line.decode("utf-8"))
    except ValueError:
        return False
    if isinstance(event, (EpochDone, CheckpointSaved)):
        return event.epoch <= epoch
    if isinstance(event, Progress):
        return (event.epoch, event.batch) <= (epoch + 1, batch)
    return isinstance(event, (RunStarted, Trouble, RunFinished, RunFailed))
