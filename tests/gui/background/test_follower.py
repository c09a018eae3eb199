"""The thread that follows a process: all its events, its end in a sentence, and what is asked of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from fkp_studio.background.follower import Ending, Follower
from training.processes.children import ENDED_AS_ASKED, KILLED, start_detached
from training.processes.tail import Tail

SLEEP = "import time; time.sleep(60)"


class Child:
    """A process that writes lines into a file."""

    title = "child"

    def __init__(self, folder: Path, code: str) -> None:
        self.out, self.log = folder / "out", folder / "log"
        self.words = [sys.executable, "-u", "-c", code, str(self.out)]
        self.process: subprocess.Popen[bytes] | None = None
        self.ending: Ending | None = None
        self.tail = Tail(self.out)

    def start(self) -> subprocess.Popen[bytes]:
        self.process = start_detached(self.words, log=self.log)
        return self.process

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def read(self) -> list[bytes]:
        return self.tail.read()

    def describe(self, ending: Ending) -> str:
        self.ending = ending
        return "It has ended."


Make = Callable[..., tuple[Child, Follower, list[bytes], list[str]]]


@pytest.fixture
def follow(tmp_path: Path, qtbot: QtBot) -> Iterator[Make]:
    """Follow a child that runs this code: (child, follower, its events, how it ended)."""
    made: list[tuple[Child, Follower]] = []

    def make(code: str, *, start: bool = True) -> tuple[Child, Follower, list[bytes], list[str]]:
        child, events, ends = Child(tmp_path, code), [], []
        follower = Follower(child, start=start)
        follower.events.connect(events.extend)
        follower.over.connect(ends.append)
        made.append((child, follower))
        return child, follower, events, ends

    yield make
    for child, follower in made:
        follower.leave()
        if child.process is not None:
            child.process.kill()
            child.process.wait()


def test_events_of_before_the_start_and_up_to_the_end_arrive(follow: Make, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "out").write_bytes(b"older\n")
    child, follower, events, ends = follow("import sys; open(sys.argv[1], 'ab').write(b'new\\nlast\\n')")
    follower.start()
    qtbot.waitUntil(lambda: bool(ends))
    assert events == [b"older", b"new", b"last"]
    assert ends == ["It has ended."]
    assert child.ending == Ending(0, killed=False)


def test_one_that_cannot_be_started_is_reported(follow: Make, qtbot: QtBot) -> None:
    child, follower, _, ends = follow("")
    child.words = ["/no/such/program"]
    follower.start()
    qtbot.waitUntil(lambda: bool(ends))
    assert ends == ["The child can't be started: No such file or directory."]


def test_a_process_goes_on_when_it_is_left(follow: Make, qtbot: QtBot) -> None:
    child, follower, _, ends = follow(SLEEP)
    follower.start()
    qtbot.waitUntil(lambda: child.process is not None)
    follower.leave()
    assert follower.isFinished()
    assert child.is_alive()
    assert ends == []


def test_a_stop_asked_for_just_before_leaving_is_still_obeyed(follow: Make, qtbot: QtBot) -> None:
    child, follower, _, _ = follow(SLEEP)
    follower.interrupt()  # before there is a process
    follower.start()
    follower.leave()
    assert child.process.wait(timeout=10) in ENDED_AS_ASKED


def test_one_that_does_not_listen_is_killed(follow: Make, qtbot: QtBot) -> None:
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); {SLEEP}"
    child, follower, _, ends = follow(deaf)
    follower.start()
    qtbot.waitUntil(lambda: child.log.exists() and b"deaf" in child.log.read_bytes())
    follower.interrupt()
    qtbot.wait(300)
    assert child.is_alive()
    follower.kill()
    qtbot.waitUntil(lambda: bool(ends))
    assert child.ending == Ending(KILLED, killed=True)


def test_one_started_elsewhere_is_followed_to_its_end(follow: Make, qtbot: QtBot) -> None:
    child, follower, events, ends = follow("import sys; open(sys.argv[1], 'wb').write(b'one\\n')", start=False)
    child.start()
    follower.start()
    qtbot.waitUntil(lambda: bool(ends))
    assert events == [b"one"]
    assert child.ending == Ending(None, killed=False)
