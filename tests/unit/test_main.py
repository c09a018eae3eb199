"""The process that trains for the window: its exit code agrees with what the run says of its end."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.training_data import tiny_config
from training.__main__ import main
from training.cli import main as fkp
from training.errors import FAULT, OK, USER_ERROR
from training.learning.fit.step.trainer import Trainer
from training.learning.inference.checkpoint import load_resume, save_resume
from training.storage.project.project import Project
from training.storage.runs.listing import read_run
from training.storage.runs.new_run import create_run
from training.storage.runs.run import Run


@pytest.fixture(autouse=True)
def _signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.__main__.stop_signals", lambda: ())


@pytest.fixture
def run(project_path: Path) -> Run:
    with Project.open(project_path) as project:
        return create_run(project, tiny_config(epochs="1"))


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("command", [["train"], ["resume"]])
def test_a_state_that_does_not_fit_is_the_users(
    run: Run, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert main(["train", str(run)]) == OK
    lines = run.events.read_text().splitlines(keepends=True)
    run.events.write_text("".join(line for line in lines if "RunFinished" not in line))
    save_resume(run.resume, {**load_resume(run.resume), "threads": -1})
    if command == ["train"]:
        assert main(["train", str(run), "--resume"]) == USER_ERROR
    else:
        assert fkp(["resume", str(run)]) == USER_ERROR
    said = capsys.readouterr().err
    assert "damaged or does not belong to this run (threads is not" in said
    assert "Traceback" not in said
    assert read_run(run).status == "failed"
    assert "threads is not" in read_run(run).message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.EIO, os.strerror(errno.EIO)), USER_ERROR),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), USER_ERROR),
        (MemoryError(), USER_ERROR),
        (ZeroDivisionError(), FAULT),
    ],
)
def test_the_exit_code_says_whose_fault_it_is(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    monkeypatch.setattr(Trainer, "train_step", failing(error))
    assert main(["train", str(run)]) == code
    info = read_run(run)
    assert info.status == "failed"
    assert info.message in capsys.readouterr().err


def test_a_log_on_a_full_disk_does_not_change_the_end(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no device that is always full")
    monkeypatch.setattr(Trainer, "train_step", failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert main(["train", str(run)]) == USER_ERROR
    assert read_run(run).message.startswith("The disk is full.")
