"""Two writers of one project, stopped at chosen SQL statements: what one does falls between any two of the other's.

Within `stepping`, every connection that a thread opens is counted for the pause of that thread, and none waits for a
lock: who meets one is refused at once, and tries again when the other is done.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from training.errors import UserError

_BUSY = "is currently writing to the project"
_of_thread = threading.local()  # .pause: the Pause of this thread


class Pause:
    """While entered, calls `act` before the statement number `at` (from 1; 0: never) of this thread's connections.

    count: the statements so far.
    """

    def __init__(self, at: int = 0, act: Callable[[], object] = lambda: None) -> None:
        self.count = 0
        self._at, self._act = at, act

    def __enter__(self) -> Pause:
        _of_thread.pause = self
        return self

    def __exit__(self, *_: object) -> None:
        _of_thread.pause = None

    def step(self) -> None:
        self.count += 1
        if self.count == self._at:
            self._act()


class Writer:
    """An act, and how it ended. refused: another program held the lock. words: why the act failed otherwise."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.refused, self.words = False, ""
        self.fault: BaseException | None = None
        self._act = act

    def run(self) -> None:
        self.refused, self.words = False, ""
        try:
            self._act()
        except UserError as error:
            self.refused, self.words = _BUSY in str(error), str(error)
        except BaseException as error:
            self.fault = error


@contextmanager
def stepping() -> Iterator[None]:
    """Make all connections opened in the block count their statements, and none wait for a lock."""
    connect = sqlite3.connect

    def counted(*arguments: Any, timeout: float = 0.0, **options: Any) -> sqlite3.Connection:
        sql = connect(*arguments, timeout=0.0, **options)
        sql.set_trace_callback(_step)
        return sql

    with mock.patch("sqlite3.connect", counted):
        yield


def _step(_statement: str) -> None:
    pause = getattr(_of_thread, "pause", None)
    if pause is not None:
        pause.step()


def count_statements(writer: Writer) -> int:
    """Run the writer alone; returns the number of its statements."""
    with Pause() as pause:
        writer.run()
    return pause.count


def interleave(first: Writer, second: Writer, *, at: int, until: int) -> None:
    """Run `first` up to its statement `at`, then `second`, in a thread of its own, up to its statement `until` (0: to its
    end), then `first` to its end, then the rest of `second`. Whoever was refused tries again at the end.

    If `first` has fewer statements, `second` follows it.
    """
    reached, go_on = threading.Event(), threading.Event()

    def stop() -> None:
        reached.set()
        go_on.wait()

    def run_second() -> None:
        with Pause(until, stop):
            second.run()
        reached.set()
        go_on.wait()
        if second.refused:
            second.run()

    def meet() -> None:
        thread.start()
        reached.wait()

    thread = threading.Thread(target=run_second)
    with Pause(at, meet) as pause:
        first.run()
    if pause.count < at:
        meet()
    go_on.set()
    thread.join()
    if first.refused:
        first.run()
