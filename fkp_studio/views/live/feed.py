"""The client of the live worker `python -m training live`, whose frames and points are read in background threads."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage

from training.processes.children import NO_CONSOLE, last_line
from training.storage.runs.run import Run

WORKER: tuple[str, ...] = (sys.executable, "-m", "training", "live")
_WORDS = 2000  # characters of stderr kept, the last ones


@dataclass(frozen=True)
class LiveFrame:
    """A frame to show. scale: image size relative to the frame. speed: recent frames per second.

    pixels: the memory behind `image`, kept alive with it.
    """

    number: int
    seconds: float
    image: QImage
    scale: float
    speed: float
    points: tuple[np.ndarray, ...]  # of each face, [K, 2] px of the frame
    confidences: tuple[np.ndarray, ...]  # [K]
    pixels: bytes = b""


class LiveFeed(QObject):
    """One worker process. Signals arrive in the interface thread; if frames arrive faster than they are shown, only the
    newest is kept. `close` ends the worker without waiting."""

    opened = Signal(object)  # the worker's description of the video, a dict
    arrived = Signal()  # there is a frame to `take`
    told = Signal(object)  # any other message, a dict
    failed = Signal(str)  # the worker ended: why, as a sentence

    _gone = Signal(str)

    def __init__(self, model: Run, source: str, *, command: Sequence[str] = WORKER) -> None:
        super().__init__()
        self._newest: LiveFrame | None = None
        self._lock = threading.Lock()
        self._closing = self._failed = False
        self._words = ""
        self._gone.connect(self._on_gone, Qt.ConnectionType.QueuedConnection)
        self._process = subprocess.Popen(
            [*command, str(model), source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=NO_CONSOLE,
        )
        self._threads = [threading.Thread(target=part, daemon=True) for part in (self._read, self._read_words)]
        for thread in self._threads:
            thread.start()

    def take(self) -> LiveFrame | None:
        """The newest frame not taken yet; None if there is none."""
        with self._lock:
            frame, self._newest = self._newest, None
        return frame

    def ask(self, command: str, **values: Any) -> None:
        """Send a command of the worker's protocol."""
        pipe = self._process.stdin
        if pipe is None or self._closing:
            return
        try:
            pipe.write(json.dumps({"cmd": command, **values}).encode() + b"\n")
            pipe.flush()
        except OSError:  # the worker has just ended, which `_on_gone` reports
            return

    def close(self) -> None:
        """End the worker, which finishes a recording. No more signals are emitted."""
        self.ask("quit")
        self._closing = True
        self.blockSignals(True)
        if self._process.stdin is not None:
            with suppress(OSError):  # the worker has already ended
                self._process.stdin.close()
        threading.Thread(target=self._reap, daemon=True).start()

    def _reap(self) -> None:
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None  # noqa: S101  - asked for above
        for line in iter(pipe.readline, b""):
            try:
                message = json.loads(line)
                event = message["event"]
            except (ValueError, KeyError, TypeError):
                continue  # output of some library
            if event == "frame":
                self._keep(message, pipe.read(int(message["bytes"])))
            elif event == "failed":
                self._failed = True
                self._emit(self.failed, str(message["text"]))
            else:
                self._emit(self.opened if event == "opened" else self.told, message)
        self._process.wait()
        self._emit(self._gone, self._words)

    def _read_words(self) -> None:
        pipe = self._process.stderr
        assert pipe is not None  # noqa: S101  - asked for above
        for line in iter(pipe.readline, b""):
            self._words = (self._words + line.decode("utf-8", "replace"))[-_WORDS:]

    def _keep(self, message: dict[str, Any], data: bytes) -> None:
        width, height = int(message["width"]), int(message["height"])
        if len(data) < 4 * width * height:
            return
        image = QImage(data, width, height, 4 * width, QImage.Format.Format_RGB32)
        faces = message["faces"]
        frame = LiveFrame(
            int(message["number"]),
            float(message["seconds"]),
            image,
            float(message["scale"]),
            float(message["speed"]),
            tuple(np.array(face["points"], np.float64).reshape(-1, 2) for face in faces),
            tuple(np.array(face["confidences"], np.float64) for face in faces),
            data,
        )
        with self._lock:
            waiting, self._newest = self._newest is not None, frame
        if not waiting:
            self._emit(self.arrived)

    def _emit(self, signal: Any, *values: object) -> None:
        if self._closing:
            return
        try:
            signal.emit(*values)
        except RuntimeError:  # this object is gone
            self._closing = True

    def _on_gone(self, words: str) -> None:
        if not self._failed and not self._closing:
            last = last_line(words)
            self.failed.emit(f"The live worker ended. {last}" if last else "The live worker ended unexpectedly.")
