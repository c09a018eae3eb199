"""Short background tasks: a function runs on the thread pool and its callbacks are called in the interface thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, Qt, QThreadPool, Signal, Slot
from shiboken6 import isValid

from training.errors import UserError
from training.progress import Cancelled

log = logging.getLogger(__name__)

Callback = Callable[..., object]


class Task(QObject):
    """A running function, as the interface thread sees it. The mailbox keeps it alive until it has ended.

    After `cancel` only `ended` is still called: results and errors are dropped (crashes are logged).
    """

    def __init__(self, callbacks: dict[str, Callback | None], *, owner: QObject | None) -> None:
        super().__init__(QCoreApplication.instance())
        self._callbacks = callbacks
        self._owner = owner
        self._cancelled = threading.Event()
        if owner is not None:
            owner.destroyed.connect(self.cancel)

    @Slot()
    def cancel(self) -> None:
        """Ask the function to end; it does so when it checks its `cancelled`. May be called twice."""
        self._cancelled.set()

    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    def reported(self, values: tuple[Any, ...]) -> None:
        """Handle values that the function passed to `progress`."""
        if not self.is_cancelled():
            self._call("progress", *values)

    def returned(self, value: object) -> None:
        """Handle the function's result."""
        try:
            if not self.is_cancelled():
                self._call("done", value)
        finally:
            self._end()

    def raised(self, error: BaseException) -> None:
        """Handle the error that the function raised."""
        try:
            if self.is_cancelled():
                if not isinstance(error, UserError | Cancelled):
                    log.error("a cancelled task failed", exc_info=error)
                return
            self._call("failed", error)
            if not isinstance(error, UserError) or self._callbacks["failed"] is None:
                raise error
        finally:
            self._end()

    def _call(self, name: str, *values: Any) -> None:
        callback = self._callbacks[name]
        if callback is not None and (self._owner is None or isValid(self._owner)):
            callback(*values)

    def _end(self) -> None:
        self.deleteLater()
        self._call("ended")
        self._callbacks, self._owner = dict.fromkeys(self._callbacks), None


class _Work:
    """A function's call, as the pool's thread sees it. Not a Qt object, so that none is freed in that thread.

    The thread stores the outcome here; the interface thread clears the call and the outcome.
    """

    def __init__(self, number: int, mailbox: _Mailbox, cancelled: threading.Event) -> None:
        self._number, self._post = number, mailbox.post
        self.is_cancelled = cancelled.is_set  # passed to the function as `cancelled`
        self.call: Callable[[], Any] | None = None
        self.value: object = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Call the function in the pool's thread. Never raises: errors go to the interface thread."""
        try:
            if self.call is not None and not self.is_cancelled():
                self.value = self.call()
        except BaseException as error:  # raised again in the interface thread
            self.error = error
        if not self._post(self._number, None) and isinstance(self.error, Exception):
            log.error("a task failed after the application ended", exc_info=self.error)

    def report(self, *values: Any) -> None:
        """Pass values to the `progress` callback. Called by the function in its thread."""
        self._post(self._number, values)


class _Mailbox(QObject):
    """Receives messages from the pool's threads; it lives as long as the application."""

    _posted = Signal(int, object)  # number of a task, a tuple of arguments for `progress`, or None: it ended

    def __init__(self) -> None:
        super().__init__(QCoreApplication.instance())
        self._running: dict[int, tuple[Task, _Work]] = {}
        self._last = 0
        self._posted.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def add(self, task: Task) -> _Work:
        """Keep a task alive until it ends; returns its work, still without a call."""
        self._last += 1
        work = _Work(self._last, self, task._cancelled)
        self._running[self._last] = task, work
        return work

    def post(self, number: int, values: tuple[Any, ...] | None) -> bool:
        """Post a message; safe in every thread. False if the application, and so this object, is gone."""
        try:
            self._posted.emit(number, values)
        except RuntimeError:
            return False
        return True

    @Slot(int, object)
    def _deliver(self, number: int, values: tuple[Any, ...] | None) -> None:
        task, work = self._running[number]
        if values is not None:
            task.reported(values)
            return
        del self._running[number]
        value, error = work.value, work.error
        work.call = work.value = work.error = None
        if error is not None:
            task.raised(error)
        else:
            task.returned(value)


_mailboxes: list[_Mailbox] = []  # one, of the application


def _mailbox() -> _Mailbox:
    if not _mailboxes or not isValid(_mailboxes[0]):
        _mailboxes[:] = [_Mailbox()]
    return _mailboxes[0]


def run_task(
    fn: Callable[..., Any],
    *args: Any,
    done: Callback | None = None,
    failed: Callback | None = None,
    progress: Callback | None = None,
    ended: Callback | None = None,
    cancellable: bool = False,
    owner: QObject | None = None,
    pool: QThreadPool | None = None,
) -> Task:
    """Run `fn(*args)` on the thread pool. Call it in the interface thread; every callback is called there.

    done(result): the function returned. failed(error): it raised. An error that is not a UserError is a bug and,
    after `failed`, goes on to `sys.excepthook`; so does a UserError without a `failed`. ended(): last, always.
    progress: `fn` is called with `progress=report` and may call `report(...)`, whose arguments are passed on.
    cancellable: `fn` is called with `cancelled=`, a function that returns whether `Task.cancel` was called.
    owner: when this object is destroyed the task is cancelled and no callback is called; by default the object whose
    method `done` (or else `failed`, `progress`, `ended`) is.
    """
    callbacks = {"done": done, "failed": failed, "progress": progress, "ended": ended}
    task = Task(callbacks, owner=owner or _owner(callbacks))
    work = _mailbox().add(task)
    extra: dict[str, Any] = {}
    if progress is not None:
        extra["progress"] = work.report
    if cancellable:
        extra["cancelled"] = work.is_cancelled
    work.call = lambda: fn(*args, **extra)
    # a function, not a QRunnable: PySide never frees one that the pool may not delete, nor its arguments
    (pool or QThreadPool.globalInstance()).start(work.run)
    return task


def _owner(callbacks: dict[str, Callback | None]) -> QObject | None:
    owners = (getattr(callback, "__self__", None) for callback in callbacks.values())
    return next((owner for owner in owners if isinstance(owner, QObject)), None)
