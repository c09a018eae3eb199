"""Reads frames of a video file or a camera with OpenCV."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from training.errors import UserError
from training.faces.images.reading import MAX_PIXELS
from training.files.regular import open_regular
from training.files.sentences import reading

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mjpg", ".mjpeg", ".ogv")
_USUAL_RATE = 25.0  # frames/s where a file does not say
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg's remarks on damaged files, which it prints on stderr
_UNREAD = 30  # consecutive failed frames after which a camera counts as gone


@dataclass(frozen=True)
class Frame:
    """image: uint8 [H, W, 3], RGB. number: from 0. seconds: since the first, by the file's frame rate or the camera's
    clock.
    """

    number: int
    seconds: float
    image: np.ndarray


def is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


class Video:
    """An open video file or camera, read by `frames`. rate: frames/s. count: 0 if unknown. path: None for a camera."""

    def __init__(self, source: Path | int) -> None:
        """source: a file, or a camera's number. Raises UserError where there is no such camera or it is not a video."""
        self.is_camera = isinstance(source, int)
        self.name = _camera_name(source) if isinstance(source, int) else source.name
        self._source = source
        self.path = None if isinstance(source, int) else source
        self._capture = _open(source)
        rate, count = self._capture.get(cv2.CAP_PROP_FPS), self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.rate = rate if np.isfinite(rate) and 0.1 <= rate <= 1000 else _USUAL_RATE
        self.count = 0 if self.is_camera or not 0 < count < 1e9 else int(count)
        self._next = 0
        self._began = 0.0  # of a camera: when its first frame was given
        self._first: np.ndarray | None = self._read()
        if self._first is None:
            self.close()
            raise UserError(_no_frame(source))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames, px."""
        return (
            int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )

    def frames(self) -> Iterator[Frame]:
        """The remaining frames, until the file ends or the camera is gone."""
        while (frame := self.next()) is not None:
            yield frame

    def next(self) -> Frame | None:
        """The next frame; None at the end."""
        bgr = self._first if self._first is not None else self._read()
        self._first = None
        if bgr is None:
            return None
        number, self._next = self._next, self._next + 1
        return Frame(number, self._seconds(number), cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))

    def _seconds(self, number: int) -> float:
        """Cameras deliver fewer frames than their nominal rate in poor light, and slow machines skip some."""
        if not self.is_camera:
            return number / self.rate
        self._began = self._began if number else time.monotonic()
        return time.monotonic() - self._began

    @property
    def lacking(self) -> int:
        """Frames missing at the end of a file compared with its header; 0 for less than a second, since counts are
        estimates.
        """
        left = self.count - self._next
        return left if left > self.rate else 0

    def rewind(self) -> None:
        """Start a file again. Raises UserError where it no longer exists."""
        self.close()
        self._capture = _open(self._source)
        self._next, self._first = 0, None

    def seek(self, number: int) -> None:
        """Continue with this frame of a file: directly where the file can, else from its start. Raises UserError."""
        self._first, self._next = None, number
        at = cv2.CAP_PROP_POS_FRAMES
        if self._capture.set(at, number) and round(self._capture.get(at)) == number:
            return
        self.rewind()
        self.skip(number)

    def skip(self, frames: int) -> None:
        """Skip this many frames without decoding them."""
        for _ in range(frames):
            self._first = None
            if not self._capture.grab():
                return
            self._next += 1

    def _read(self) -> np.ndarray | None:
        for _ in range(_UNREAD if self.is_camera else 1):
            there, bgr = self._capture.read()
            if there and bgr is not None:
                return np.asarray(bgr)
        return None

    def close(self) -> None:
        self._capture.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _open(source: Path | int) -> cv2.VideoCapture:
    capture = _opened(source)
    if capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT) > MAX_PIXELS:
        capture.release()
        raise UserError(
            f"{source}: the frames are larger than {MAX_PIXELS // 1_000_000} million pixels; scale the video down."
        )
    return capture


def _opened(source: Path | int) -> cv2.VideoCapture:
    try:
        if isinstance(source, int):
            capture = cv2.VideoCapture(source)
        else:
            with reading(source):
                open_regular(source).close()
            capture = _first_open(source)
    except cv2.error as error:
        raise UserError(_no_frame(source)) from error
    if not capture.isOpened():
        raise UserError(_no_frame(source))
    return capture


def _first_open(path: Path) -> cv2.VideoCapture:
    """The file as the first of OpenCV's readers opens it.

    One of them, for numbered images (a01.png, a02.png...), would open other files than this one.
    """
    capture = cv2.VideoCapture()
    for reader in cv2.videoio_registry.getStreamBackends():
        if reader != cv2.CAP_IMAGES and capture.open(str(path), reader):
            break
    return capture


def _camera_name(number: int) -> str:
    """Includes the time, since a camera's frames are counted from 0 each time it is opened."""
    return f"camera {number} {datetime.now().astimezone():%Y-%m-%d %H-%M-%S}"


def _no_frame(source: Path | int) -> str:
    if isinstance(source, int):
        return (
            f"There is no camera {source}, or another program uses it. Plug one in, close the other program, allow "
            "access to the camera in the system's settings, or choose a video file."
        )
    return (
        f"{source}: this is not a video that OpenCV can read, or it is damaged; try it as .mp4 (H.264) or .avi (MJPEG)."
    )
