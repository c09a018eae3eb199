"""Locks between processes: one holder, seen by others, gone with its holder."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from training.processes import locks
from training.processes.locks import Lock, holder, is_held

HOLD = """
import sys, time
from pathlib import Path
from training.processes.locks import Lock
with Lock(Path(sys.argv[1])) as lock:
    lock.sign()
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds and has signed the lock `tmp_path/lock` until its stdin is closed."""
    words = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process


def test_another_process_keeps_us_out_until_it_lets_go(other: subprocess.Popen[str], tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert is_held(path)
    assert holder(path) == other.pid
    assert not Lock(path).acquire(wait=0.05)
    other.stdin.close()
    with Lock(path):
        assert is_held(path)
    assert not is_held(path)


def test_a_killed_holder_holds_nothing(other: subprocess.Popen[str], tmp_path: Path) -> None:
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert holder(tmp_path / "lock") is None  # though its number still stands in the file
    assert Lock(tmp_path / "lock").acquire(wait=0)


def test_asking_makes_no_file_and_does_not_disturb_others_who_ask(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    assert holder(path) is None
    assert not path.exists()
    with Lock(path) as lock:
        assert holder(path) is None  # held, but not signed
        lock.sign()
        assert [is_held(path), is_held(path), holder(path)] == [True, True, os.getpid()]


def test_a_lock_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Lock(tmp_path / "nowhere" / "lock").acquire()


class Regions(types.ModuleType):
    """Stands in for msvcrt: one byte range a file can be locked, without shared locks."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.held: dict[tuple[int, int], int] = {}  # (inode, position) -> descriptor

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        place = os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR)
        assert count == 1
        if mode == self.LK_UNLCK:
            assert self.held.pop(place) == descriptor
        elif place in self.held:
            raise PermissionError(13, "Permission denied")
        else:
            self.held[place] = descriptor


def test_on_windows_a_byte_behind_the_content_is_locked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    regions = Regions()
    monkeypatch.setitem(sys.modules, "msvcrt", regions)
    monkeypatch.setattr(sys, "platform", "win32")
    spec = importlib.util.spec_from_file_location("windows_locks", locks.__file__)
    windows: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(windows)
    path = tmp_path / "lock"
    with windows.Lock(path) as lock:
        lock.sign()
        assert windows.holder(path) == os.getpid()
        assert not windows.Lock(path).acquire(wait=0)
        assert path.read_text() == str(os.getpid())
        assert [position for _, position in regions.held] == [windows._BYTE]
    assert regions.held == {}
    assert not windows.is_held(path)
    assert regions.held == {}  # whoever asked has let go
