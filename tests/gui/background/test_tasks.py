"""Background tasks: results and errors arrive in the interface thread, and deleted owners are not called."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QObject, QThread, QThreadPool
from shiboken6 import delete

from fkp_studio.background.tasks import run_task
from training.errors import UserError


class Receiver(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.got: list[Any] = []

    def take(self, value: object) -> None:
        assert QThread.currentThread() is self.thread()
        self.got.append(value)


def test_result_comes_back_in_the_interface_thread(qtbot: Any) -> None:
    receiver = Receiver()
    run_task(lambda a, b: (a + b, threading.get_ident()), 2, 3, done=receiver.take)
    qtbot.waitUntil(lambda: bool(receiver.got))
    total, thread = receiver.got[0]
    assert total == 5
    assert thread != threading.get_ident()


def test_many_tasks_all_arrive(qtbot: Any) -> None:
    receiver = Receiver()
    for i in range(500):
        run_task(lambda i: i, i, done=receiver.take)
    qtbot.waitUntil(lambda: len(receiver.got) == 500)
    assert sorted(receiver.got) == list(range(500))


def test_progress_arrives_in_order_and_before_the_result(qtbot: Any) -> None:
    got: list[object] = []

    def work(*, progress: Callable[..., None]) -> str:
        for i in range(5):
            progress(i / 5, f"step {i}")
        return "end"

    run_task(work, done=got.append, progress=lambda part, text: got.append((part, text)))
    qtbot.waitUntil(lambda: "end" in got)
    assert got == [*[(i / 5, f"step {i}") for i in range(5)], "end"]


def test_a_users_error_goes_to_failed_only(qtbot: Any) -> None:
    got: list[object] = []

    def work() -> None:
        raise UserError("The file is empty.")

    with qtbot.captureExceptions() as crashes:
        run_task(work, failed=got.append)
        qtbot.waitUntil(lambda: bool(got))
    assert str(got[0]) == "The file is empty."
    assert not crashes


@pytest.mark.parametrize("error", [UserError("nobody listens"), ZeroDivisionError("a bug")])
def test_an_error_nobody_takes_reaches_the_excepthook(qtbot: Any, error: Exception) -> None:
    def work() -> None:
        raise error

    with qtbot.captureExceptions() as crashes:
        run_task(work)
        qtbot.waitUntil(lambda: bool(crashes))
    assert crashes[0][1] is error


def test_a_bug_goes_to_failed_and_to_the_excepthook(qtbot: Any) -> None:
    got: list[object] = []
    with qtbot.captureExceptions() as crashes:
        run_task(lambda: 1 / 0, failed=got.append)
        qtbot.waitUntil(lambda: bool(crashes))
    assert isinstance(got[0], ZeroDivisionError)


def test_cancel_ends_the_function_and_drops_its_result(qtbot: Any) -> None:
    started, got = threading.Event(), []

    def work(*, cancelled: Callable[[], bool]) -> str:
        started.set()
        while not cancelled():
            threading.Event().wait(0.001)
        return "late"

    task = run_task(work, done=got.append, ended=lambda: got.append("ended"), cancellable=True)
    assert started.wait(5)
    task.cancel()
    qtbot.waitUntil(lambda: bool(got))
    assert got == ["ended"]


def test_a_receiver_that_is_gone_is_not_called(qtbot: Any) -> None:
    receiver, started, go = Receiver(), threading.Event(), threading.Event()
    seen: list[bool] = []

    def work(*, cancelled: Callable[[], bool]) -> None:
        started.set()
        go.wait(5)
        seen.append(cancelled())

    run_task(work, done=receiver.take, cancellable=True)
    assert started.wait(5)
    delete(receiver)
    go.set()
    assert QThreadPool.globalInstance().waitForDone(5000)
    qtbot.waitUntil(lambda: seen == [True])
    assert receiver.got == []


def test_what_a_task_was_given_is_let_go_of_when_it_ended(qtbot: Any) -> None:
    receiver, given = Receiver(), Receiver()
    gone = weakref.ref(given)
    run_task(lambda given: given.got, given, done=receiver.take)
    del given
    qtbot.waitUntil(lambda: bool(receiver.got))

    def collected() -> bool:
        gc.collect()
        return gone() is None

    qtbot.waitUntil(collected)
