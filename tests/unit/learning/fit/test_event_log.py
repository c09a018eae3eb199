"""The events on a disk that is full or fails: whole lines, the true last word, and a run that can go on."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.training_data import make_data, make_run, tiny_config
from training.learning.fit import event_log
from training.learning.fit.event_log import EventLog
from training.learning.fit.train_run import train_run
from training.storage.runs import metrics_csv
from training.storage.runs.events import Event, Progress, RunFailed, RunFinished, Trouble
from training.storage.runs.folder import can_resume, has_begun, read_events
from training.storage.runs.listing import read_run
from training.storage.runs.run import Run

SAID = {errno.ENOSPC: "The disk is full.", errno.EIO: "The disk reports an error (Input/output error)."}
FAILED = RunFailed("The disk is full.", "Free some space.", "Traceback " * 40)


def progress(batch: int) -> Progress:
    return Progress(1, batch, 9, 0.5, 100.0, 0.1, 60.0)


def new_run(folder: Path) -> Run:
    return make_run(folder, tiny_config(epochs="2"), make_data()[1])


def disk(monkeypatch: pytest.MonkeyPatch, *, room: int, fault: int = errno.ENOSPC, once: bool = False) -> None:
    """From now on the events' disk takes `room` more bytes than it holds; then it fails, once or from then on."""
    broken = [False]

    class Disk(FileIO):
        def write(self, data: Any, /) -> int:
            left = room - os.fstat(self.fileno()).st_size
            if left > 0 or (once and broken[0]):
                return super().write(data if broken[0] and once else bytes(data)[:left]) or 0
            broken[0] = True
            raise OSError(fault, os.strerror(fault), str(self.name))

    monkeypatch.setattr(event_log, "FileIO", Disk)


def lines(run: Run) -> list[str]:
    """The kinds of the events on the disk, all of them whole."""
    text = run.events.read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line)["event"] for line in text.splitlines()]


@pytest.mark.parametrize("fault", SAID)
@pytest.mark.parametrize("room", [0, 1, 100, 400, 700, 1500])
def test_a_training_on_a_failing_disk_says_so_and_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int, room: int
) -> None:
    whole, run = new_run(tmp_path / "whole"), new_run(tmp_path)
    train_run(whole, data=make_data()[0])
    with monkeypatch.context() as patch:
        disk(patch, room=room, fault=fault)
        last = train_run(run, data=make_data()[0])
    assert isinstance(last, RunFailed)
    assert last.message.endswith(SAID[fault])
    assert "resume the run" in last.hint
    assert not last.is_fault
    kinds = lines(run)
    info = read_run(run)
    if "RunFailed" in kinds:
        assert (info.status, info.message) == ("failed", f"{last.message} {last.hint}")
    assert can_resume(run)
    assert isinstance(train_run(run, resume=has_begun(run), data=make_data()[0]), RunFinished)
    assert [k for k in lines(run) if k == "EpochDone"] == ["EpochDone"] * 2
    assert run.model.read_bytes() == whole.model.read_bytes()


def test_a_disk_that_failed_once_has_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run(tmp_path)
    disk(monkeypatch, room=500, fault=errno.EIO, once=True)
    last = train_run(run, data=make_data()[0])
    assert isinstance(last, RunFailed) and last.message.endswith(SAID[errno.EIO])
    assert lines(run)[-1] == "RunFailed"
    assert read_run(run).message == f"{last.message} {last.hint}"


def test_on_a_full_disk_the_last_word_takes_the_place_of_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path)
    log = EventLog(run)
    log.write(Trouble("nan", "A trouble."))
    for batch in range(3):
        log.write(progress(batch))
    log.close()
    disk(monkeypatch, room=run.events.stat().st_size)
    log = EventLog(run)
    with pytest.raises(OSError, match="No space left"):
        log.write(progress(3))
    log.last_word(FAILED)  # those of the former process stay
    assert lines(run) == ["Trouble", "Progress", "Progress", "Progress"]
    log.close()
    disk(monkeypatch, room=run.events.stat().st_size + 350)
    log = EventLog(run)
    log.write(progress(3))
    log.write(progress(4))
    with pytest.raises(OSError, match="No space left"):
        log.write(progress(5))
    log.last_word(FAILED)
    log.close()
    assert lines(run) == ["Trouble", "Progress", "Progress", "Progress", "RunFailed"]
    assert read_run(run).message == "The disk is full. Free some space."


def test_a_line_that_was_cut_off_does_not_swallow_the_next(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    log = EventLog(run)
    log.write(progress(0))
    log.close()
    with run.events.open("ab") as file:
        file.write(b'{"event":"Progress","ep')
    log = EventLog(run)
    log.last_word(FAILED)
    log.close()
    assert lines(run) == ["Progress", "RunFailed"]


@pytest.mark.parametrize("what", ["fsync", "table"])
def test_other_faults_of_the_disk_are_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    run = new_run(tmp_path)
    calls = iter(range(1000))

    def fails_later(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **options: Any) -> Any:
            if next(calls) >= 3:
                raise OSError(errno.EIO, os.strerror(errno.EIO), "metrics.csv")
            return real(*values, **options)

        return call

    if what == "fsync":
        monkeypatch.setattr(event_log.os, "fsync", fails_later(os.fsync))
    else:
        monkeypatch.setattr(metrics_csv.MetricsFile, "write", fails_later(metrics_csv.MetricsFile.write))
    heard: list[Event] = []
    last = train_run(run, data=make_data()[0], on_event=heard.append)
    assert isinstance(last, RunFailed) and last.message.endswith(SAID[errno.EIO])
    assert heard[-1] == last
    assert [type(e).__name__ for e in read_events(run)[0]] == lines(run)
