"""The workflow in a real X window, killed in the middle: nothing that was placed or accepted is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.display import missing, x_server
from tests.helpers.source import make_source
from training.faces.labels.labels import Origin, PointState
from training.storage.project.project import Project
from training.storage.runs.folder import is_running
from training.storage.runs.listing import list_runs
from training.storage.runs.run import STARTERS, Run

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(bool(missing()), reason=missing() or "Xvfb is there"),
]


class Program:
    """The program with the robot in it, and the robot's reports."""

    def __init__(self, story: str, *arguments: str, display: str, home: Path) -> None:
        hidden = ("QT_", "WAYLAND", STARTERS)  # with the program's own starters, as users have them
        env = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        env |= {f"XDG_{n}_HOME": str(home / n.lower()) for n in ("CONFIG", "DATA", "STATE", "CACHE")}
        env |= {"HOME": str(home), "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
        self._log = (home / f"{story}.log").open("w+")
        command = [sys.executable, "-m", "tests.helpers.robot", story, *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=self._log, text=True)

    def tells(self, step: str) -> dict[str, Any]:
        """The robot's next report, which must be of this step."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                facts: dict[str, Any] = json.loads(line)
                assert facts.pop("step") == step, facts
                return facts
        self._log.seek(0)
        raise AssertionError(f"the program ended before {step!r}:\n{self._log.read()[-3000:]}")

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()


@pytest.fixture
def display() -> Iterator[str]:
    with x_server() as name:
        yield name


def children_of(run: Run) -> list[int]:
    """Processes that train this run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"train" in words and str(run).encode() in words:
            found.append(int(folder.name))
    return found


def power_cut(program: Program, run: Run) -> None:
    """Kill the window and its trainings without warning."""
    program.process.send_signal(signal.SIGKILL)
    for pid in children_of(run):
        os.kill(pid, signal.SIGKILL)
    program.process.wait()
    end = time.monotonic() + 20
    while is_running(run) and time.monotonic() < end:
        time.sleep(0.02)  # a dying process releases its lock last
    assert not is_running(run)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """Where the project will be; trainings in it end with the test, even if it fails."""
    path = tmp_path / "faces.fkp"
    yield path
    for folder in (path / "runs").glob("0*"):
        for pid in children_of(Run(folder)):
            os.kill(pid, signal.SIGKILL)


def test_the_loop_survives_a_kill(display: str, home: Path, tmp_path: Path, project: Path) -> None:
    source, path = make_source(tmp_path / "faces"), project
    program = Program("first", str(source), str(path), display=display, home=home)
    try:
        imported = program.tells("imported")
        assert imported["count"] == 160 and imported["title"].startswith("faces.fkp")
        assert imported["run"] == "starter-15"
        placed = program.tells("placed")
        assert placed["undone"] and "undo: place" in placed["status"]
        trained = program.tells("trained")
        assert all(rows > 0 for rows in trained["rows"].values())
        assert "undo: accept" in program.tells("accepted")["status"]
        last = program.tells("kill me")
        long_run = Run(path / "runs" / trained["runs"][1])
        power_cut(program, long_run)
    finally:
        program.end()
    check_project(path, last)
    assert {r.name: r.status for r in list_runs(path / "runs")}[long_run.name] == "interrupted"
    check_again(display, home, path, last)


def check_project(path: Path, last: dict[str, Any]) -> None:
    """Every point that was on the screen is on the disk."""
    with Project.open(path) as project:
        assert project.label_hash() == last["hash"]
        labels = project.labels(project.ids())
        assert int(labels.mask.sum()) == last["known"] and not labels.missing.any()
        row = last["placed"]["sample"] - 1
        for keypoint, xy in last["placed"]["points"].items():
            np.testing.assert_allclose(labels.points[row, int(keypoint)], xy)
            assert labels.origins[row, int(keypoint)] == Origin.PERSON
            assert labels.states[row, int(keypoint)] == PointState.VISIBLE
        assert (labels.origins == Origin.MODEL).sum() > 100


def check_again(display: str, home: Path, path: Path, last: dict[str, Any]) -> None:
    """The next start opens the project; the run resumes where it was; accepting can be undone."""
    program = Program("again", str(path), display=display, home=home)
    try:
        opened = program.tells("opened")
        assert Path(opened["project"]) == path.resolve()
        assert opened["hash"] == last["hash"]
        assert opened["status"] == "interrupted"
        assert opened["undo"].startswith("accept ")
        resumed = program.tells("resumed")
        assert resumed["epochs"] == list(range(1, len(resumed["epochs"]) + 1)), "an epoch is missing or there twice"
        assert resumed["missing"] > 0
        assert program.process.wait(60) == 0
    finally:
        program.end()
