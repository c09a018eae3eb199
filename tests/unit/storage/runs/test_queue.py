"""The queue of trainings on disk: each run starts exactly once, one at a time, whoever is killed when."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from training.errors import UserError
from training.processes.children import KILLED
from training.processes.locks import is_held
from training.storage.project.project import Project
from training.storage.runs.events import RunStarted
from training.storage.runs.folder import discard_run, has_begun, is_running, read_events
from training.storage.runs.new_run import create_run
from training.storage.runs.queue import FILE, RunQueue
from training.storage.runs.queue_watch import WATCH, attend, start_watch, watch
from training.storage.runs.run import Run
from training.storage.runs.settings.recipes import recipe_config
from training.storage.runs.start import start_claimed

RECIPES = ("cnn-6", "ml-cnn", "cnn")
WINDOW_PROCESS = """
import sys, time
from pathlib import Path
from training.storage.runs.queue_watch import attend
lock = attend(Path(sys.argv[1]))
print("there", flush=True)
time.sleep(600)
"""
PATIENCE = 60  # seconds, used up only by a failing test
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not pass locks on")


def fake(mode: str) -> tuple[str, ...]:
    return sys.executable, "-m", "tests.helpers.fakes.training", mode


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.02)


@pytest.fixture
def runs(project_path: Path) -> Iterator[list[Run]]:
    """Three runs that have not begun."""
    with Project.open(project_path) as project:
        made = [create_run(project, recipe_config(name)) for name in RECIPES]
    yield made
    for run in made:
        if run.path.is_dir():
            run.stop.touch()
    until(lambda: not any(is_running(run) for run in made))


@pytest.fixture
def queue(runs: list[Run]) -> RunQueue:
    made = RunQueue(runs[0].path.parent)
    made.add([run.name for run in runs])
    return made


def starts(run: Run) -> int:
    return sum(isinstance(event, RunStarted) for event in read_events(run)[0])


def test_the_order_is_kept_on_disk_and_a_run_is_queued_once(queue: RunQueue, runs: list[Run]) -> None:
    queue.add([runs[0].name])
    assert RunQueue(queue.runs_dir).waiting() == [run.name for run in runs]
    queue.remove(runs[1].name)
    assert RunQueue(queue.runs_dir).waiting() == [runs[0].name, runs[2].name]


@posix
def test_one_trains_at_a_time_and_the_turn_passes_on(queue: RunQueue, runs: list[Run]) -> None:
    claim = queue.claim()
    assert claim is not None and claim.run == runs[0] and not claim.resume
    assert queue.claim() is None  # it is about to start
    assert queue.active() == runs[0].name and queue.waiting() == [runs[1].name, runs[2].name]
    process = start_claimed(claim, command=fake("slow"))
    assert queue.claim() is None  # starting, with no lock of its own yet
    until(lambda: starts(runs[0]))
    assert queue.claim() is None
    runs[0].stop.touch()
    process.wait()
    following = queue.claim()
    assert following is not None and following.run == runs[1]
    following.turn.release()


@posix
def test_a_killed_trainer_is_not_started_again_and_the_next_one_is(queue: RunQueue, runs: list[Run]) -> None:
    claim = queue.claim()
    assert claim is not None
    process = start_claimed(claim, command=fake("slow"))
    until(lambda: starts(runs[0]))
    process.kill()
    assert process.wait() == KILLED
    assert queue.active() == ""
    following = queue.claim()
    assert following is not None and following.run == runs[1]
    following.turn.release()
    assert starts(runs[0]) == 1


def test_a_run_whose_starter_was_killed_is_started_again_but_not_for_ever(queue: RunQueue, runs: list[Run]) -> None:
    for _ in range(2):
        claim = queue.claim()
        assert claim is not None and claim.run == runs[0]
        assert queue.waiting() == [runs[1].name, runs[2].name]
        claim.turn.release()  # as the system does at the end of a process
    third = queue.claim()
    assert third is not None and third.run == runs[1]
    third.turn.release()


def test_runs_that_are_gone_or_begun_are_passed_over(queue: RunQueue, runs: list[Run]) -> None:
    discard_run(runs[0])
    runs[1].events.write_text("{}\n")
    assert has_begun(runs[1])
    assert queue.waiting() == [runs[2].name]
    claim = queue.claim()
    assert claim is not None and claim.run == runs[2]
    claim.turn.release()


def test_a_run_to_resume_waits_though_it_has_begun(queue: RunQueue, runs: list[Run]) -> None:
    runs[0].events.write_text("{}\n")
    queue.add([runs[0].name])  # it is there already
    queue.remove(runs[0].name)
    queue.add([runs[0].name], resume=True)
    assert queue.waiting()[-1] == runs[0].name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"active": null}',
        "{" * 100_000,
        '{"project": PROJECT, "active": null, "waiting": [{"run": "../0001-x"}]}',
    ],
)
def test_a_damaged_or_strange_file_is_an_empty_queue(queue: RunQueue, runs: list[Run], text: str) -> None:
    project = str((queue.runs_dir.parent / "project.db").stat().st_ino)
    (queue.runs_dir / FILE).write_text(text.replace("PROJECT", project))
    assert queue.waiting() == [] and queue.active() == "" and queue.claim() is None
    queue.add([runs[2].name])
    assert queue.waiting() == [runs[2].name]


def test_a_copy_of_the_project_starts_none_of_its_trainings(queue: RunQueue, runs: list[Run], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(queue.runs_dir.parent, tmp_path / "from-a-stranger.fkp"))
    assert RunQueue(copy / "runs").waiting() == []
    assert RunQueue(copy / "runs").claim() is None
    moved = queue.runs_dir.parent.rename(tmp_path / "moved.fkp")
    assert RunQueue(moved / "runs").waiting() == [run.name for run in runs]
    moved.rename(queue.runs_dir.parent)


def test_a_project_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the folder does not exist"):
        RunQueue(tmp_path / "gone").add(["0001-cnn"])


@posix
def test_what_waits_trains_without_a_window_each_run_once(queue: RunQueue, runs: list[Run]) -> None:
    process = start_watch(queue.runs_dir, fake("good"))
    assert process is not None
    until(lambda: all(has_begun(run) and not is_running(run) for run in runs))
    assert process.wait(PATIENCE) == 0
    assert [starts(run) for run in runs] == [1, 1, 1]
    begun = [run.events.stat().st_mtime for run in runs]
    assert begun == sorted(begun)


@posix
def test_the_watch_leaves_the_starting_to_a_window_and_goes_on_when_it_is_killed(
    queue: RunQueue, runs: list[Run]
) -> None:
    window = subprocess.Popen(
        [
            sys.executable,
            "-c",
            WINDOW_PROCESS,
            str(queue.runs_dir),
        ],
        stdout=subprocess.PIPE,
    )
    assert window.stdout is not None and window.stdout.readline() == b"there\n"
    assert attend(queue.runs_dir) is None
    process = start_watch(queue.runs_dir, fake("good"))
    assert process is not None
    until(lambda: is_held(queue.runs_dir / WATCH))
    assert start_watch(queue.runs_dir) is None
    assert not any(has_begun(run) for run in runs)
    os.kill(window.pid, signal.SIGKILL)
    window.wait()
    window.stdout.close()
    assert process.wait(PATIENCE) == 0
    assert [starts(run) for run in runs] == [1, 1, 1]


@posix
def test_watch_and_windows_killed_at_random_moments_train_each_run_once(queue: RunQueue, runs: list[Run]) -> None:
    """Watches are started and killed until all is trained; every run begins exactly once, in order."""
    for delay in (0.05, 0.3, 0.6, 1.0, 1.3):
        process = start_watch(queue.runs_dir, fake("good"))
        if process is not None:
            time.sleep(delay)
            process.kill()
            process.wait()
    watch(queue.runs_dir, fake("good"))
    until(lambda: all(has_begun(run) and not is_running(run) for run in runs))
    assert [starts(run) for run in runs] == [1, 1, 1]
