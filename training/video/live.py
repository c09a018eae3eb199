"""A video or camera for the window: frames with their faces' points, at the video's rate or as fast as possible.

`python -m training live MODEL SOURCE` writes messages to stdout, one JSON line each: - {"event": "opened", "name",
"width", "height", "rate", "count", "camera", "edges"} or {"event": "failed", "text"} first; - {"event": "frame",
"number", "seconds", "width", "height", "scale", "speed", "faces": [{"number", "box", "points", "confidences"}],
"bytes"}, followed by that many raw bytes: [height, width, 4] as from `screen_image`, scale times the frame's size;
points are in px of the frame itself; - {"event": "ended", "lacking"} once, after a file's last frame; lacking: frames
that should have followed.

It reads commands from stdin, one JSON line each:
- {"cmd": "size", "width": px, "height": px}: the space that a frame should fill;
- {"cmd": "pause"}, {"cmd": "resume"}; {"cmd": "again"}: play a file from its start;
- {"cmd": "seek", "number"}: go to this frame of a file, shown even while paused, then {"event": "sought"};
- {"cmd": "save", "project": path, "run": path}: save the last frame shown, then {"event": "saved", "faces": n};
- {"cmd": "record", "path": path}, {"cmd": "stop"}: write a CSV, answered by {"event": "recording"} and {"event":
  "recorded", "path", "rows"}, or {"event": "lost", "text"} where it could not be written;
- {"cmd": "quit"}, or the end of stdin, ends it.
Other errors are reported as {"event": "problem", "text"}.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import cv2
import numpy as np

from training.errors import UserError
from training.files.json_values import parse_json
from training.learning.inference.device import keep_memory, set_threads
from training.learning.inference.predictor import Predictor
from training.storage.destination import Result, check_destination
from training.storage.project.project import Project
from training.storage.runs.run import Run
from training.video.kept_frames import save_frame
from training.video.points_csv import WriteFaces, video_table
from training.video.screen_image import fitting_scale, screen_image
from training.video.source import Frame, Video
from training.video.tracking import Face, FaceTracker

_ROOM = (960, 960)  # px that a frame fills until the window sends its size
_WAIT = 0.25  # seconds that a paused worker sleeps at most before it checks the clock again
_RATE_OVER = 20  # frames that the speed is averaged over


class Live:
    """One video on its way to the window."""

    def __init__(self, video: Video, predictor: Predictor, out: BinaryIO) -> None:
        self.video, self.predictor, self.out = video, predictor, out
        self.tracker = self._tracker()
        self.paused = self.ended = False
        self.room = _ROOM
        self._last: tuple[Frame, list[Face]] | None = None
        self._times: deque[float] = deque(maxlen=_RATE_OVER)
        self._began = 0.0  # when the file's first frame was due, or would have been
        self._table: ExitStack | None = None
        self._write: WriteFaces | None = None
        self._path, self._rows = Path(), 0

    def _tracker(self) -> FaceTracker:
        return FaceTracker(self.predictor.predict, side=self.predictor.info.config.network.input_size)

    def wait(self) -> float:
        """Seconds until the next frame is due."""
        if self.paused or self.ended:
            return _WAIT
        if self.video.is_camera or self._last is None:
            return 0.0
        due = self._began + (self._last[0].number + 1) / self.video.rate
        return max(0.0, due - time.monotonic())

    def show(self) -> None:
        """Read the next frame that is due, find its faces and send both."""
        if self.paused or self.ended:
            return
        self._catch_up()
        self._next()

    def _next(self) -> None:
        frame = self.video.next()
        if frame is None:
            self.ended = True
            self.stop()
            self.say({"event": "ended", "lacking": self.video.lacking})
            return
        keeps_all = self._write is not None and not self.video.is_camera
        first = self._last is None
        faces = self.tracker.follow(frame.image, wait=first or keeps_all)
        self._last = frame, faces
        if first:  # it included a search and all set-up; the others are due from here
            self._began = time.monotonic() - frame.number / self.video.rate
        self._note(frame, faces)
        self._times.append(time.monotonic())
        self._send(frame, faces)

    def _catch_up(self) -> None:
        """Skip frames on a slow machine, unless they are being recorded."""
        if self.video.is_camera or self._last is None:
            return
        due = int((time.monotonic() - self._began) * self.video.rate)
        late = due - (self._last[0].number + 1)
        if late > 0 and self._write is None:
            self.video.skip(min(late, int(self.video.rate)))
        if late > self.video.rate or self._write is not None:  # the clock waits for the machine
            self._began = time.monotonic() - (self._last[0].number + 1 + late * (self._write is None)) / self.video.rate

    def _send(self, frame: Frame, faces: list[Face]) -> None:
        height, width = frame.image.shape[:2]
        scale = fitting_scale((width, height), self.room)
        image = screen_image(frame.image, scale)
        message = {
            "event": "frame",
            "number": frame.number,
            "seconds": round(frame.seconds, 3),
            "width": image.shape[1],
            "height": image.shape[0],
            "scale": scale,
            "speed": self._speed(),
            "faces": [_plain(face) for face in faces],
            "bytes": image.nbytes,
        }
        self.say(message, image)

    def _speed(self) -> float:
        """Recent frames per second."""
        passed = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
        return round((len(self._times) - 1) / passed, 1) if passed > 0 else 0.0

    def take(self, message: dict[str, Any]) -> None:
        """Execute a command from stdin; errors are reported as events."""
        try:
            match message["cmd"]:
                case "size":
                    self._resize(int(message["width"]), int(message["height"]))
                case "pause":
                    self.paused = True
                case "again":
                    self._begin_again()
                case "seek":
                    self._seek(int(message["number"]))
                case "resume":
                    self._resume()
                case "save":
                    self._save(Path(message["project"]), Run(Path(message["run"])))
                case "record":
                    self._record(Path(message["path"]), str(message.get("project", "")))
                case "stop":
                    self.stop()
        except UserError as error:
            self.say({"event": "problem", "text": str(error)})

    def _begin_again(self) -> None:
        self.video.rewind()
        self._forget()
        self.paused = False

    def _forget(self) -> None:
        """Reset the tracker, since the next frame does not follow the last one."""
        self.tracker, self._last, self.ended = self._tracker(), None, False
        self._times.clear()

    def _seek(self, number: int) -> None:
        """Show this frame; playback continues from it unless paused.

        RefusedFileError while recording, which takes every frame.
        """
        try:
            if self._write is None and not self.video.is_camera:
                self.video.seek(max(0, number))
                self._forget()
                self._next()
        finally:
            self.say({"event": "sought"})

    def _resume(self) -> None:
        self.paused = False
        self._times.clear()
        if self._last is not None:
            self._began = time.monotonic() - self._last[0].number / self.video.rate

    def _resize(self, width: int, height: int) -> None:
        self.room = max(1, width), max(1, height)
        if self._last is not None and (self.paused or self.ended):  # no other frame will follow
            self._send(*self._last)

    def _save(self, path: Path, run: Run) -> None:
        if self._last is None or not self._last[1]:
            raise UserError("There is no face in this frame; nothing was saved.")
        with Project.open(path) as project:
            if project.schema.keypoints != self.predictor.schema.keypoints:
                raise UserError(
                    f"The model has different keypoints from the project {project.name}; choose another model."
                )
            ids = save_frame(project, *self._last, video=self.video.name, run=run)
        self.say({"event": "saved", "faces": len(ids)})

    def _record(self, path: Path, project: str) -> None:
        """project: the open one, whose sources are not overwritten; "" if there is none."""
        inputs = () if self.video.path is None else (self.video.path,)
        with ExitStack() as stack:
            opened = stack.enter_context(Project.open(Path(project), read_only=True)) if project else None
            check_destination(path, Result.TABLE, inputs=inputs, project=opened)
        self.stop()
        table = ExitStack()
        self._write = table.enter_context(video_table(path, self.predictor.schema))
        self._table, self._path, self._rows = table, path, 0
        self.say({"event": "recording"})

    def _note(self, frame: Frame, faces: list[Face]) -> None:
        if self._write is None:
            return
        try:
            self._write(frame, faces)
            self._rows += len(faces)
        except OSError as error:
            self._finish(error)

    def stop(self) -> None:
        """End the recording, if there is one, and complete its file, unless it has no row."""
        self._finish(None)

    def _finish(self, error: OSError | UserError | None) -> None:
        table, self._table, self._write = self._table, None, None
        if table is None:
            return
        if error is None and not self._rows:
            error = UserError(f"No face was in the recorded frames, so {self._path} was not written.")
        try:
            table.__exit__(type(error) if error else None, error, None)
            if error is not None:
                raise error
        except UserError as told:
            lost = " and is lost" if self._rows else ""
            self.say({"event": "lost", "text": f"The recording has ended{lost}. {told}"})
        else:
            self.say({"event": "recorded", "path": str(self._path), "rows": self._rows})

    def say(self, message: dict[str, Any], image: np.ndarray | None = None) -> None:
        """Write a message and its raw bytes."""
        self.out.write(json.dumps(message, allow_nan=False).encode() + b"\n")
        if image is not None:
            self.out.write(image.data)
        self.out.flush()


def live(model: Run, source: str, *, commands: TextIO, out: BinaryIO) -> None:
    """Run until stdin ends. source: a file, or a camera's number."""
    keep_memory()
    set_threads(1)  # with one or two faces per frame a second thread gains little and takes a core from the window
    cv2.setNumThreads(1)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(commands, lines), daemon=True).start()
    try:
        with Video(int(source) if source.isdecimal() else Path(source)) as video:
            predictor = Predictor.load(model)
            shown = Live(video, predictor, out)
            shown.say(_opened(video, predictor))
            _run(shown, lines)
            shown.stop()
    except UserError as error:
        out.write(json.dumps({"event": "failed", "text": str(error)}).encode() + b"\n")
        out.flush()
    except BrokenPipeError:  # the window is gone
        return


def _run(shown: Live, lines: queue.SimpleQueue[str]) -> None:
    while True:
        try:
            line = lines.get(timeout=max(shown.wait(), 1e-4))
        except queue.Empty:
            shown.show()
            continue
        message = _parsed(line)
        if not line or message.get("cmd") == "quit":
            return
        shown.take(message)


def _parsed(line: str) -> dict[str, Any]:
    try:
        message = parse_json(line)
    except ValueError:
        return {"cmd": ""}
    return message if isinstance(message, dict) and "cmd" in message else {"cmd": ""}


def _read(commands: TextIO, lines: queue.SimpleQueue[str]) -> None:
    try:
        for line in commands:
            lines.put(line)
    finally:
        lines.put("")


def _opened(video: Video, predictor: Predictor) -> dict[str, Any]:
    return {
        "event": "opened",
        "name": video.name,
        "width": video.size[0],
        "height": video.size[1],
        "rate": round(video.rate, 2),
        "count": video.count,
        "camera": video.is_camera,
        "edges": [list(edge) for edge in predictor.schema.edges],
    }


def _plain(face: Face) -> dict[str, Any]:
    return {
        "number": face.number,
        "box": np.round(face.box, 1).tolist(),
        "points": np.round(face.points.astype(np.float64), 2).tolist(),
        "confidences": np.round(face.confidences.astype(np.float64), 3).tolist(),
    }


def main(model: Run, source: str) -> None:
    """Run on this process's stdin and stdout."""
    live(model, source, commands=sys.stdin, out=sys.stdout.buffer)
