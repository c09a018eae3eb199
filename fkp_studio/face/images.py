"""The image cache: a background thread with its own connection reads ahead into a cache of bounded size."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PySide6.QtCore import QCoreApplication, QObject, Qt, QThreadPool, Signal
from PySide6.QtGui import QImage

from training.errors import UserError
from training.storage.project.identity import Place
from training.storage.project.project import Project

CACHE_BYTES = 160 * 2**20
REDUCED_SIDE = 1600  # px: larger images are also kept at this size, to paint them quickly when zoomed out
IDLE_SECONDS = 2.0
PAINTED = QImage.Format.Format_RGB32
FORMATS = {1: QImage.Format.Format_Grayscale8, 3: QImage.Format.Format_RGB888, 4: PAINTED}  # by channels

Key = tuple[int, int]  # sample id, largest side (0: full size)


@dataclass(frozen=True)
class Image:
    """An image ready to show. levels: uint8 [H, W] or [H, W, 3], full size first, then a reduced one.

    width, height: of the original in pixels, whatever the levels' sizes. problem: why there are no levels, else "".
    """

    width: int
    height: int
    levels: tuple[np.ndarray, ...]
    problem: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes taken by the levels."""
        return sum(level.nbytes for level in self.levels)


def to_image(pixels: np.ndarray) -> QImage:
    """A QImage that owns its memory, in the format that paints fastest.

    pixels: uint8, grey [H, W] or [H, W, 1], RGB [H, W, 3], or BGR with a fourth, unused channel [H, W, 4].
    """
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    kind = FORMATS[pixels.shape[2] if pixels.ndim == 3 else 1]
    image = QImage(pixels.data, width, height, pixels.strides[0], kind)
    return image.copy() if kind == PAINTED else image.convertToFormat(PAINTED)


def reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    """`pixels` shrunk to a longer side of `side` px; unchanged if they are not larger."""
    height, width = pixels.shape[:2]
    if max(height, width) <= side:
        return pixels
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = to_image(pixels).scaled(
        *size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    rgb = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(rgb.constBits(), np.uint8).reshape(size[1], rgb.bytesPerLine())
    colour = rows[:, : size[0] * 3].reshape(size[1], size[0], 3)
    return (colour[:, :, 0] if pixels.ndim == 2 else colour).copy()  # else a view of memory that the image frees


class ImageCache(QObject):
    """Images of one project by sample id, newest requests first. All methods belong to the interface thread."""

    ready = Signal(int)  # sample id

    _read = Signal(object, object, int)  # Key, Image, generation

    def __init__(self, parent: QObject | None = None, *, capacity: int = CACHE_BYTES) -> None:
        super().__init__(parent)
        self._capacity = capacity
        self._kept: OrderedDict[Key, Image] = OrderedDict()
        self._bytes = 0
        self._queue: _Queue | None = None
        self._generation = 0
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(2)  # the second serves a new project while the last read of the old one ends
        self._read.connect(self._on_read, Qt.ConnectionType.QueuedConnection)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    def set_project(self, path: Place | None) -> None:
        """Drop everything and read from this project from now on."""
        self.close()
        self._generation += 1
        self._kept.clear()
        self._bytes = 0
        self._queue = _Queue(path) if path else None

    def get(self, sample_id: int, *, side: int = 0) -> Image | None:
        """The image if it is in the cache."""
        image = self._kept.get((sample_id, side))
        if image is not None:
            self._kept.move_to_end((sample_id, side))
        return image

    def request(self, ids: Iterable[int], *, side: int = 0) -> None:
        """Read these images in order, before all earlier requests."""
        wanted = [(int(i), side) for i in ids if (int(i), side) not in self._kept]
        if self._queue is not None and wanted and self._queue.put(wanted):
            self._pool.start(partial(_read_all, self._queue, self, self._generation))

    def forget(self, ids: Iterable[int]) -> None:
        """Drop these images because their source changed."""
        gone = set(ids)
        for key in [k for k in self._kept if k[0] in gone]:
            self._bytes -= self._kept.pop(key).nbytes

    def close(self) -> None:
        """Stop reading; waits for the image being read."""
        if self._queue is not None:
            self._queue.close()
            self._queue = None
        self._pool.waitForDone()

    def _on_read(self, key: Key, image: Image, generation: int) -> None:
        if generation != self._generation:
            return
        self._bytes += image.nbytes - (self._kept[key].nbytes if key in self._kept else 0)
        self._kept[key] = image
        self._kept.move_to_end(key)
        while self._bytes > self._capacity and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        self.ready.emit(key[0])


class _Queue:
    """The images still to be read, shared by the interface thread and at most one reader."""

    def __init__(self, path: Place) -> None:
        self.path = path
        self._wanted: deque[Key] = deque()
        self._condition = threading.Condition()
        self._closed = False
        self._served = False

    def put(self, keys: list[Key]) -> bool:
        """Add in front; returns whether a reader must be started."""
        with self._condition:
            fresh = set(keys)
            rest = [k for k in self._wanted if k not in fresh]
            self._wanted = deque([*keys, *rest][:256])  # older requests are dropped
            self._condition.notify()
            start, self._served = not self._served, True
            return start

    def take(self) -> Key | None:
        """The next key; None after IDLE_SECONDS without any, or when closed: the reader then ends."""
        deadline = time.monotonic() + IDLE_SECONDS
        with self._condition:
            while not self._wanted and not self._closed and (left := deadline - time.monotonic()) > 0:
                self._condition.wait(left)
            if self._wanted and not self._closed:
                return self._wanted.popleft()
            self._served = False
            return None

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._wanted.clear()
            self._condition.notify()


def _read_all(queue: _Queue, cache: ImageCache, generation: int) -> None:
    """Read with its own connection until the queue is empty. Runs in a background thread."""
    try:
        project = Project.open(queue.path, read_only=True)
    except UserError as error:
        while key := queue.take():
            cache._read.emit(key, Image(0, 0, (), str(error)), generation)
        return
    with project:
        while key := queue.take():
            cache._read.emit(key, read_image(project, *key), generation)


def read_image(project: Project, sample_id: int, side: int) -> Image:
    """Read one image with its reduced level, or, if `side` is given, at most that large."""
    try:
        pixels = project.image(sample_id)
    except UserError as error:
        return Image(0, 0, (), str(error))
    height, width = pixels.shape[:2]
    if side:
        return Image(width, height, (np.array(reduced(pixels, side)),))
    small = reduced(pixels, REDUCED_SIDE)
    return Image(width, height, (np.array(pixels),) if small is pixels else (np.array(pixels), small))
