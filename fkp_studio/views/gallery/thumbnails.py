"""The thumbnail cache: background threads with their own connections draw into a cache of bounded size."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Qt, QThread, Signal
from PySide6.QtGui import QImage, QPixmap

from fkp_studio.face.images import to_image
from training.errors import UserError
from training.storage.project.identity import Place

if TYPE_CHECKING:
    from training.faces.labels.labels import Labels
    from training.storage.project.project import Project

CACHE_BYTES = 64 * 2**20
BATCH = 8  # thumbnails drawn between two checks of the requests
THREADS = 2


@dataclass(frozen=True)
class Look:
    """How thumbnails are drawn. side: device pixels, `ratio` per logical pixel. run: whose predictions, "" for none."""

    side: int = 96
    run: str = ""
    ratio: float = 1.0


@dataclass(frozen=True)
class Drawn:
    """A thumbnail drawn by a thread. image: None if it can't be read; `problem` says why."""

    sample_id: int
    image: QImage | None
    problem: str = ""


class Thumbnails(QObject):
    """The thumbnails of one project by sample id. All methods belong to the interface thread.

    `want` replaces all earlier requests that have not been drawn yet.
    """

    ready = Signal(list)  # sample ids whose thumbnail is new or changed

    def __init__(self, parent: QObject | None = None, *, capacity: int = CACHE_BYTES) -> None:
        super().__init__(parent)
        self._capacity = capacity
        self._kept: OrderedDict[int, QPixmap] = OrderedDict()
        self._stale: set[int] = set()  # shown until redrawn
        self._problems: dict[int, str] = {}
        self._bytes = 0
        self._look = Look()
        self._threads: list[_Artist] = []
        self._wanted = _Wanted()

    @property
    def nbytes(self) -> int:
        """Bytes taken by the thumbnails."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._kept)

    def set_project(self, path: Place | None) -> None:
        """Drop everything and draw from this project from now on."""
        self.close()
        self._clear()
        if path is not None:
            self._wanted = _Wanted()
            self._threads = [_Artist(path, self._wanted, self) for _ in range(THREADS)]
            for thread in self._threads:
                thread.drawn.connect(self._on_drawn, Qt.ConnectionType.QueuedConnection)

    def set_look(self, look: Look) -> None:
        """Set how to draw. Thumbnails of another size are dropped, others stay until redrawn."""
        if look.side != self._look.side:
            self._clear()
        self._look = look
        self.forget(None)

    def get(self, sample_id: int) -> QPixmap | None:
        """The thumbnail if it is in the cache."""
        pixmap = self._kept.get(sample_id)
        if pixmap is not None:
            self._kept.move_to_end(sample_id)
        return pixmap

    def problem(self, sample_id: int) -> str:
        """Why this image can't be shown, "" if it can or has not been tried."""
        return self._problems.get(sample_id, "")

    def want(self, ids: Iterable[int]) -> None:
        """Draw these in order, and drop earlier requests."""
        missing = [i for i in ids if (i not in self._kept or i in self._stale) and i not in self._problems]
        self._wanted.replace(missing, self._look)
        for thread in self._threads if missing else ():
            if not thread.isRunning():
                thread.start(QThread.Priority.LowPriority)

    def forget(self, ids: Iterable[int] | None) -> None:
        """Mark these faces (None: all) as changed; request them again with `want`. Old thumbnails show until then."""
        changed = None if ids is None else {int(i) for i in ids}
        self._stale |= self._kept.keys() if changed is None else changed & self._kept.keys()
        self._problems = {} if changed is None else {i: p for i, p in self._problems.items() if i not in changed}
        self._wanted.renew()

    def close(self) -> None:
        """End the threads; waits for the thumbnails being drawn."""
        self._wanted.close()
        for thread in self._threads:
            thread.wait()
            thread.deleteLater()
        self._threads = []

    def _clear(self) -> None:
        self._kept.clear()
        self._stale.clear()
        self._problems.clear()
        self._bytes = 0

    def _on_drawn(self, batch: _Batch) -> None:
        if batch.wanted is not self._wanted:
            return  # from a closed project
        drawn, look = batch.drawn, batch.look
        self._wanted.finish(one.sample_id for one in drawn)
        if look != self._look:
            return
        for one in drawn:
            if one.image is None:
                self._problems[one.sample_id] = one.problem
            else:
                pixmap = QPixmap.fromImage(one.image)
                pixmap.setDevicePixelRatio(look.ratio)
                self._keep(one.sample_id, pixmap)
                fresh = batch.version == self._wanted.version
                (self._stale.discard if fresh else self._stale.add)(one.sample_id)
        self.ready.emit([one.sample_id for one in drawn])

    def _keep(self, sample_id: int, pixmap: QPixmap) -> None:
        self._bytes += _nbytes(pixmap) - _nbytes(self._kept.get(sample_id))
        self._kept[sample_id] = pixmap
        self._kept.move_to_end(sample_id)
        while self._bytes > self._capacity and len(self._kept) > 1:
            old, gone = self._kept.popitem(last=False)
            self._bytes -= _nbytes(gone)
            self._stale.discard(old)


def _nbytes(pixmap: QPixmap | None) -> int:
    return 0 if pixmap is None else pixmap.width() * pixmap.height() * 4


class _Wanted:
    """The ids still to be drawn, shared by the interface thread and the drawing threads."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._ids: deque[int] = deque()
        self._drawing: dict[int, tuple[Look, int]] = {}  # taken by a thread and not delivered yet
        self._look = Look()
        self.closed = False
        self.version = 0  # increases when faces change: thumbnails of older versions are stale

    def replace(self, ids: Sequence[int], look: Look) -> None:
        with self._condition:
            now = (look, self.version)
            self._ids, self._look = deque(i for i in ids if self._drawing.get(i) != now), look
            self._condition.notify_all()

    def renew(self) -> None:
        with self._condition:
            self.version += 1

    def finish(self, ids: Iterable[int]) -> None:
        with self._condition:
            for i in ids:
                self._drawing.pop(i, None)

    def close(self) -> None:
        with self._condition:
            self.closed = True
            self._ids.clear()
            self._condition.notify_all()

    def take(self) -> tuple[list[int], Look, int] | None:
        """Wait for the next ids to draw; None when closed."""
        with self._condition:
            while not self._ids and not self.closed:
                self._condition.wait()
            if self.closed:
                return None
            ids = [self._ids.popleft() for _ in range(min(BATCH, len(self._ids)))]
            self._drawing.update((i, (self._look, self.version)) for i in ids)
            return ids, self._look, self.version


@dataclass(frozen=True)
class _Batch:
    """The result of one round of a thread."""

    drawn: list[Drawn]
    look: Look
    version: int
    wanted: _Wanted


class _Artist(QThread):
    """The drawing thread: draws requested thumbnails until `_Wanted` is closed."""

    drawn = Signal(object)  # _Batch

    def __init__(self, path: Place, wanted: _Wanted, parent: QObject) -> None:
        super().__init__(parent)
        self._path, self._wanted = path, wanted

    def run(self) -> None:
        from training.storage.project.project import Project

        project: Project | None = None
        try:
            while (work := self._wanted.take()) is not None:
                ids, look, version = work
                try:
                    project = project or Project.open(self._path, read_only=True)
                    drawn = []
                    for one in _draw(project, ids, look):
                        drawn.append(one)
                        if self._wanted.closed:
                            return
                except UserError as error:
                    drawn = [Drawn(i, None, str(error)) for i in ids]
                self.drawn.emit(_Batch(drawn, look, version, self._wanted))
        finally:
            if project is not None:
                project.close()


def _draw(project: Project, ids: list[int], look: Look) -> Iterator[Drawn]:
    rows = np.array(ids, np.int64)
    labels = project.labels(rows)
    predicted = project.predictions(look.run, rows).points if look.run else np.full(labels.points.shape, np.nan)
    for n, i in enumerate(ids):
        yield _draw_one(project, i, labels[n : n + 1], predicted[n], look.side)


def _draw_one(project: Project, sample_id: int, labels: Labels, predicted: np.ndarray, side: int) -> Drawn:
    from fkp_studio.face.thumbnail import draw_thumbnail

    try:
        pixels = draw_thumbnail(project.image(sample_id), labels, predicted, side=side)
    except UserError as error:
        return Drawn(sample_id, None, str(error))
    return Drawn(sample_id, to_image(pixels))
