"""Children that outlive their parent, how they are stopped, and what they said last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from training.processes.children import (
    ENDED_AS_ASKED,
    KILLED,
    interrupt,
    kill_group,
    last_line,
    last_words,
    lower_priority,
    start_detached,
)
from training.processes.locks import Lock, holder

PARENT = """
import sys
from pathlib import Path
from training.processes.children import start_detached
print(start_detached([sys.executable, "-c", sys.argv[2], sys.argv[1]], log=Path(sys.argv[1]) / "log").pid, flush=True)
sys.stdin.read()
"""
CHILD = """
import sys, time
from pathlib import Path
from training.processes.locks import Lock
folder = Path(sys.argv[1])
with Lock(folder / "lock") as lock:
    lock.sign()
    (folder / "ready").touch()
    while not (folder / "stop").exists():
        time.sleep(0.02)
"""
FAMILY = """
import subprocess, sys, time
from pathlib import Path
word = [sys.executable, "-c", "import time; time.sleep(60)"]
Path(sys.argv[1], "ready.part").write_text(str(subprocess.Popen(word).pid))
Path(sys.argv[1], "ready.part").rename(Path(sys.argv[1], "ready"))
time.sleep(60)
"""


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")
def test_a_child_outlives_its_killed_parent_and_its_terminal(tmp_path: Path) -> None:
    words = [sys.executable, "-c", PARENT, str(tmp_path), CHILD]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        child = int(parent.stdout.readline())
        until((tmp_path / "ready").exists)
        os.killpg(parent.pid, signal.SIGINT)  # Ctrl-C at the terminal reaches the parent's group
        os.killpg(parent.pid, signal.SIGKILL)
        parent.wait()
    assert holder(tmp_path / "lock") == child
    assert os.getsid(child) == child
    (tmp_path / "stop").touch()
    until(lambda: not is_alive(child))
    with Lock(tmp_path / "lock"):
        pass


def test_what_a_child_prints_goes_into_its_files(tmp_path: Path) -> None:
    say = [sys.executable, "-c", "import sys; print('out'); sys.stdout.flush(); print('why', file=sys.stderr)"]
    log, out = tmp_path / "log", tmp_path / "out"
    assert start_detached(say, log=log).wait() == 0
    assert start_detached(say, log=log, append=True).wait() == 0
    assert log.read_text() == "out\nwhy\n" * 2
    assert start_detached(say, log=log, out=out).wait() == 0
    assert (log.read_text(), out.read_text()) == ("why\n", "out\n")


def test_an_interrupted_child_ends_as_asked_and_one_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    process = start_detached([sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "log")
    interrupt(process.pid)
    assert process.wait() in ENDED_AS_ASKED
    interrupt(process.pid)
    kill_group(process)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")
def test_a_kill_ends_the_child_with_its_own_children(tmp_path: Path) -> None:
    process = start_detached([sys.executable, "-c", FAMILY, str(tmp_path)], log=tmp_path / "log")
    until((tmp_path / "ready").exists)
    grandchild = int((tmp_path / "ready").read_text())
    assert is_alive(grandchild)
    kill_group(process)
    assert process.wait() == KILLED
    until(lambda: not is_alive(grandchild))


def test_a_lowered_priority_is_lower(tmp_path: Path) -> None:
    code = f"from {lower_priority.__module__} import lower_priority as f; import os; a = os.nice(0); f(); print(os.nice(0) - a)"
    process = start_detached([sys.executable, "-c", code], log=tmp_path / "log")
    assert process.wait() == 0
    assert int(last_words(tmp_path / "log")) > 0


def test_the_last_words_of_a_huge_log_are_found_at_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert last_words(log) == ""
    with log.open("wb") as file:
        file.truncate(1 << 32)  # 4 GB, sparse
        file.seek(0, os.SEEK_END)
        file.write(b"\nModuleNotFoundError: \xff torch \r\n\n  \n")
    assert last_words(log) == "ModuleNotFoundError: � torch"
    log.write_bytes(b"\n\n")
    assert last_words(log) == ""


def test_of_a_progress_bar_the_last_state_counts() -> None:
    assert last_line("10%\r20%\r30%") == "30%"
