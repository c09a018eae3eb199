"""Runs gallery queries in the background: reads the data they need, filters, sorts and emits the new order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QThread, QThreadPool, Signal

from fkp_studio.background.tasks import Task, run_task
from fkp_studio.document.changes import Changes
from fkp_studio.document.lacking import Lacking
from fkp_studio.document.store import ProjectStore
from fkp_studio.views.gallery.facts import read_lacking, read_ranks
from fkp_studio.views.gallery.filters import Facts, Query, Sort, arrange, matches

EDIT = 256  # faces; a change of at most this many is read at once
MARKED = 4096  # faces; a change of at most this many is checked face by face against the query


class Arranger(QObject):
    """Keeps the order of the gallery. Lives in the interface thread; slow work runs on its own pool.

    The order is only recomputed on request: a face that has just been completed stays where it is and is counted in
    `left` instead.
    """

    arranged = Signal(object)  # int64 [n], the ids to show
    lacking_changed = Signal()
    left_changed = Signal()
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.query = Query()
        self.left: set[int] = set()  # shown faces that no longer match the query
        self.outdated = False  # many labels or predictions changed: the order may no longer be right
        self._store: ProjectStore | None = None
        self._run = ""
        self._lacking: Lacking | None = None
        self._ranks: np.ndarray | None = None
        self._tasks: dict[str, Task] = {}
        self._meanwhile: set[int] = set()  # faces edited while `lacking` is being read
        self._asked = False
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(2)
        self._pool.setThreadPriority(QThread.Priority.LowPriority)

    @property
    def lacking(self) -> Lacking | None:
        """The missing points of all faces; None until read."""
        return self._lacking

    @property
    def busy(self) -> bool:
        """Whether an order is being computed."""
        return self._asked

    def set_store(self, store: ProjectStore | None) -> None:
        """Switch to this project and drop everything about the old one."""
        for name in list(self._tasks):
            self._cancel(name)
        self._lacking = self._ranks = None
        self._store, self._run, self.query, self._asked = store, "", Query(), False
        self._reset_left()
        self._read_lacking()

    def close(self) -> None:
        """Cancel the tasks and wait until none uses the project."""
        self.set_store(None)
        self._pool.waitForDone()

    def set_run(self, run: str) -> None:
        """Set the run that queries about errors and confidences refer to."""
        if run != self._run:
            self._run = run
            if self.query.needs_run:
                self.ask(self.query)

    def ask(self, query: Query) -> None:
        """Compute the order of this query; emits `arranged` when done."""
        self.query = query
        if self._store is not None:
            self._asked = True
            self._reset_left()
            self._step()

    def on_changed(self, changes: Changes) -> None:
        """Update the facts after a change of the store, but not the order."""
        if changes.labels or changes.samples:
            ids = None if changes.ids is None or changes.samples else np.asarray(changes.ids, np.int64)
            self._labels_changed(ids)
        if changes.samples:
            self._ranks = None
            self.ask(self.query)
        elif changes.predictions and self.query.needs_run:
            if self._asked:  # the pending query waited for this
                self._step()
            else:
                self._set_outdated()

    def _labels_changed(self, ids: np.ndarray | None) -> None:
        store = self._store
        if store is None:
            return
        if ids is None or len(ids) > EDIT:
            self._cancel("lacking")
            self._read_lacking()
        elif "lacking" in self._tasks:  # the task may have read these before the change
            self._meanwhile.update(ids.tolist())
        elif self._lacking is not None:
            self._lacking.put(ids - 1, _missing(store, ids))
            self.lacking_changed.emit()
        self._mark(ids)

    def _mark(self, ids: np.ndarray | None) -> None:
        """Note which of these faces (None: all) still match the query; if very many, mark the order as outdated."""
        if ids is None or len(ids) > MARKED:
            self._set_outdated()
        elif not self.query.needs_run:
            fits = matches(self.query, self._facts().rows(ids - 1))
            self.left.difference_update(ids[fits].tolist())
            self.left.update(ids[~fits].tolist())
            self.left_changed.emit()

    def _set_outdated(self) -> None:
        self.outdated = True
        self.left_changed.emit()

    def _reset_left(self) -> None:
        self.left, self.outdated = set(), False
        self.left_changed.emit()

    def _facts(self) -> Facts:
        assert self._store is not None  # noqa: S101 - for the type checker; callers have checked
        return Facts(self._store.index(), self._lacking, None, self._ranks)

    def _step(self) -> None:
        """Start reading what the order still needs, or computing it. `_step` is called again after each read."""
        if self._store is None or not self._asked:
            return
        columns = self._run_columns() if self.query.needs_run and self._run else None
        if self.query.keypoints and self._lacking is None:
            self._read_lacking()
        elif self.query.needs_run and self._run and columns is None:
            return  # the store is reading it and emits `changed` when done
        elif self.query.sort is Sort.NAME and self._ranks is None:
            self._start("ranks", read_ranks, self._store.project.address, done=self._on_ranks)
        else:
            self._cancel("arrange")
            query, facts = self.query, self._facts()
            self._start("arrange", lambda: arrange(query, facts, columns=columns), done=self._on_arranged)

    def _run_columns(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The store's columns of the run; None while it reads them, which shows in new arrays at each call."""
        assert self._store is not None  # noqa: S101 - for the type checker; callers have checked
        columns = self._store.columns.of(self._run)
        return columns if columns[0] is self._store.columns.of(self._run)[0] else None

    def _on_lacking(self, lacking: Lacking) -> None:
        self._lacking = lacking
        if self._meanwhile and self._store is not None:
            ids = np.array(sorted(self._meanwhile), np.int64)
            lacking.put(ids - 1, _missing(self._store, ids))
        self.lacking_changed.emit()
        if self.query.keypoints:
            self._step()

    def _on_ranks(self, ranks: np.ndarray) -> None:
        self._ranks = ranks
        self._step()

    def _on_arranged(self, ids: np.ndarray) -> None:
        self._asked = False
        self.arranged.emit(ids)

    def _read_lacking(self) -> None:
        if self._store is not None and "lacking" not in self._tasks and len(self._store):
            self._meanwhile = set()
            self._start("lacking", read_lacking, self._store.project.address, done=self._on_lacking, cancellable=True)

    def _start(
        self, name: str, fn: Callable[..., Any], *args: Any, done: Callable[[Any], None], cancellable: bool = False
    ) -> None:
        """Run `fn` in the background unless a task of this name is running."""
        if name in self._tasks:
            return

        def ended() -> None:
            if self._tasks.get(name) is task:
                del self._tasks[name]

        def deliver(result: Any) -> None:
            ended()  # before `done`, which may start the next one of this name
            done(result)

        task = run_task(
            fn,
            *args,
            done=deliver,
            failed=lambda error: self.failed.emit(str(error)),
            ended=ended,
            owner=self,
            cancellable=cancellable,
            pool=self._pool,
        )
        self._tasks[name] = task

    def _cancel(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()


def _missing(store: ProjectStore, ids: np.ndarray) -> np.ndarray:
    """bool [B, K]: the unset points; a removed face has none."""
    return store.labels(ids).missing & store.index().kept[ids - 1, None]


def with_only(query: Query, ids: np.ndarray, *, in_order: bool = False) -> Query:
    """The query restricted to these faces. in_order: shown in the order of `ids`."""
    wanted = np.asarray(ids, np.int64)
    return replace(query, only=tuple((wanted if in_order else np.sort(wanted)).tolist()), in_order=in_order)
