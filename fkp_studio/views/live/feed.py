"""The live worker's client: frames and points come from `python -m training live`, read in a thread of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage

WORKER: tuple[str, ...] = (sys.executable, "-m", "training", "live")
_WORDS = 2000  # the last characters of stderr that are kept


@dataclass(frozen=True)
class LiveFrame:
    """A frame as it is shown. scale: of the picture, against the frame. speed: frames a second of late.

    pixels: what the image shows without a copy, kept as long as it.
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
    """One worker process. Signals come in the interface thread; of frames that arrive faster than they are shown only the
    newest counts. `close` ends it without waiting."""

    opened = Signal(object)  # what the worker tells of the video, a dict
    arrived = Signal()  # there is a frame to `take`
    told = Signal(object)  # any other message, a dict
    failed = Signal(str)  # it ended, with a sentence on why

    _gone = Signal(str)

    def __init__(self, model: Path, source: str, *, command: Sequence[str] = WORKER) -> None:
        super().__init__()
        self._newest: LiveFrame | None = None
        self._lock = threading.Lock()
        self._closing = self._failed = False
        self._words = ""
        self._gone.connect(self._on_gone, Qt.ConnectionType.QueuedConnection)
        self._process = subprocess.Popen(
            [*command, str(model), source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._threads = [threading.Thread(target=part, daemon=True) for part in (self._read, self._read_words)]
        for thread in self._threads:
            thread.start()

    def take(self) -> LiveFrame | None:
        """The newest frame that was not taken yet."""
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
        except OSError:  # it has just ended, and will be told so
            return

    def close(self) -> None:
        """End the worker: a recording is finished by it. Nothing is told any more."""
        self.ask("quit")
        self._closing = True
        self.blockSignals(True)
        if self._process.stdin is not None:
            with suppress(OSError):  # it was gone before
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
                continue  # something that a library printed
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
            last = words.strip().split("\n")[-1]
            self.failed.emit(f"The live worker ended. {last}" if last else "The live worker ended without a word.")
