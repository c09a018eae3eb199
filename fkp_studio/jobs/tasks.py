"""Short background tasks: a function runs on the thread pool, its result comes back in the interface thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, QRunnable, Qt, QThreadPool, Signal, Slot
from shiboken6 import isValid

from training.data.progress import Cancelled
from training.errors import UserError

log = logging.getLogger(__name__)

Callback = Callable[..., object]


class Task(QObject):
    """A running function. It belongs to the application until it ended; nobody has to keep it.

    After `cancel` nothing but `ended` is called any more: what the function still returns or raises is dropped
    (a crash is written to the log).
    """

    _reported = Signal(object)  # a tuple of arguments for `progress`
    _returned = Signal(object)
    _raised = Signal(object)

    def __init__(self, callbacks: dict[str, Callback | None], *, owner: QObject | None) -> None:
        super().__init__(QCoreApplication.instance())
        self._callbacks = callbacks
        self._owner = owner
        self._cancelled = threading.Event()
        self.runnable: QRunnable | None = None
        for signal, slot in (
            (self._reported, self._report),
            (self._returned, self._return),
            (self._raised, self._raise),
        ):
            signal.connect(slot, Qt.ConnectionType.QueuedConnection)
        if owner is not None:
            owner.destroyed.connect(self.cancel)

    @Slot()
    def cancel(self) -> None:
        """Ask the function to end; it does when it looks at its `cancelled`. May be called twice."""
        self._cancelled.set()

    def is_cancelled(self) -> bool:
        """Whether `cancel` was called. Safe in every thread: this is what the function gets as `cancelled`."""
        return self._cancelled.is_set()

    def report(self, *values: Any) -> None:
        """Hand values to the `progress` callback. Called by the function in its thread."""
        self._send(self._reported, values)

    def work(self, call: Callable[[], Any]) -> None:
        """Run in the pool's thread: nothing is raised here, everything goes to the interface thread."""
        try:
            value = None if self.is_cancelled() else call()
        except BaseException as error:  # it is raised again in the interface thread
            self._send(self._raised, error)
        else:
            self._send(self._returned, value)

    def _send(self, signal: Any, value: object) -> None:
        try:
            signal.emit(value)
        except RuntimeError:  # the application is gone, and this object with it: nobody is there to be told
            if isinstance(value, Exception):
                log.error("a task failed after the application ended", exc_info=value)

    def _call(self, name: str, *values: Any) -> None:
        callback = self._callbacks[name]
        if callback is not None and (self._owner is None or isValid(self._owner)):
            callback(*values)

    @Slot(object)
    def _report(self, values: tuple[Any, ...]) -> None:
        if not self.is_cancelled():
            self._call("progress", *values)

    @Slot(object)
    def _return(self, value: object) -> None:
        try:
            if not self.is_cancelled():
                self._call("done", value)
        finally:
            self._end()

    @Slot(object)
    def _raise(self, error: BaseException) -> None:
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

    def _end(self) -> None:
        self.runnable = None
        self.deleteLater()
        self._call("ended")


class _Runnable(QRunnable):
    def __init__(self, task: Task, call: Callable[[], Any]) -> None:
        super().__init__()
        self.setAutoDelete(False)  # the task keeps it: Python and the pool must not both free it
        self._task = task
        self._call = call

    def run(self) -> None:
        self._task.work(self._call)


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
    after `failed`, goes on to `sys.excepthook`; so does a UserError that no `failed` takes. ended(): last, always.
    progress: `fn` is called with `progress=report` and may call `report(...)`; its arguments arrive here.
    cancellable: `fn` is called with `cancelled=`, a function that tells whether `Task.cancel` was called.
    owner: when this object is destroyed the task is cancelled and no callback is called; by default the object whose
    method `done` (or else `failed`, `progress`, `ended`) is.
    """
    callbacks = {"done": done, "failed": failed, "progress": progress, "ended": ended}
    task = Task(callbacks, owner=owner or _owner(callbacks))
    extra: dict[str, Any] = {}
    if progress is not None:
        extra["progress"] = task.report
    if cancellable:
        extra["cancelled"] = task.is_cancelled
    task.runnable = _Runnable(task, lambda: fn(*args, **extra))
    (pool or QThreadPool.globalInstance()).start(task.runnable)
    return task


def _owner(callbacks: dict[str, Callback | None]) -> QObject | None:
    owners = (getattr(callback, "__self__", None) for callback in callbacks.values())
    return next((owner for owner in owners if isinstance(owner, QObject)), None)
