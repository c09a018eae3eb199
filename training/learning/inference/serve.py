"""The prediction worker: JSON lines on stdin are answered with JSON lines on stdout.

{"id": n, "cmd": "predict", "project": address, "run": run, "ids": [...]} is answered by one or more {"id": n, "ids":
[...], "points": [[[x, y], ...], ...], "confidences": [[...], ...], "model": its stamp, "done": bool}, or one {"id": n,
"error": sentence}. {"id": n, "cmd": "augment", "project": address, "ids": [...], "config": {...}, "seed": s} is answered
by one {"id": n, "size": [N, S, S, C], "pictures": base64, "points": [...], "mask": [...]}, see `Sheet.draw`; it is
handled before all others. {"cmd": "cancel", "id": n} ends a request without a further answer, {"cmd": "quit"} or the
end of stdin ends the worker. A request with a single id is handled before the rest of a long one.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from training.errors import UserError
from training.faces.images.reading import resize_points
from training.files.json_values import parse_json
from training.learning.augment.preview import Sheet
from training.learning.inference.device import keep_memory, set_threads
from training.learning.inference.predictor import Predictor
from training.storage.project.identity import Address
from training.storage.project.project import Project
from training.storage.runs.inputs.data import load_images
from training.storage.runs.model.prediction_stamp import model_stamp
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig

CHUNK = 256  # samples per reply, at most
_SLICE_SECONDS = 0.05  # length of the pieces of a long request, so that a short one need not wait
_MODELS = 3  # kept loaded
_LARGEST = 2**63 - 1  # of an id


@dataclass(eq=False)
class _Request:
    number: int
    project: Address
    run: Run
    ids: list[int]
    at: int = 0
    stamp: str = ""  # of the model that the gathered predictions are by
    points: list[np.ndarray] = field(default_factory=list)
    confidences: list[np.ndarray] = field(default_factory=list)

    @property
    def gathered(self) -> int:
        return sum(len(p) for p in self.points)


@dataclass(eq=False)
class _SheetRequest:
    number: int
    project: Address
    ids: list[int]
    config: dict[str, Any]
    seed: int


class Worker:
    """Keeps projects and models open, and handles requests piece by piece."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.waiting: deque[_Request | _SheetRequest] = deque()
        self.sheet = Sheet()
        self.projects: dict[Address, Project] = {}
        self.models: dict[tuple[Run, str], Predictor] = {}
        self.piece = 16

    def take(self, message: dict[str, Any]) -> None:
        """Queue or drop a request; one with a single id goes to the front. Raises ValueError, KeyError or TypeError."""
        command, number = message["cmd"], _whole(message["id"])
        if command == "cancel":
            self.waiting = deque(r for r in self.waiting if r.number != number)
            return
        if command not in ("predict", "augment"):
            raise ValueError(f"unknown command {command!r}")
        ids = [_whole(i) for i in message["ids"]]
        if command == "augment":
            config, seed = dict(message["config"]), _whole(message["seed"])
            self.waiting.appendleft(_SheetRequest(number, Address.from_json(message["project"]), ids, config, seed))
            return
        request = _Request(number, Address.from_json(message["project"]), Run(Path(message["run"])), ids)
        if len(ids) == 1:
            self.waiting.appendleft(request)
        else:
            self.waiting.append(request)

    def work(self) -> None:
        """Do one piece of the front request; an error ends only that request."""
        request = self.waiting[0]
        try:
            if isinstance(request, _SheetRequest):
                self._draw(request)
            else:
                self._piece(request)
        except UserError as error:
            self._drop(request, str(error))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self._drop(request, f"The worker failed ({type(error).__name__}: {error}).")

    def _draw(self, request: _SheetRequest) -> None:
        config = RunConfig.from_json(request.config)
        drawn = self.sheet.draw(self._project(request.project), request.ids, config, seed=request.seed)
        self._say({"id": request.number, **drawn})
        self._forget(request)

    def _drop(self, request: _Request | _SheetRequest, sentence: str) -> None:
        self._forget(request)
        self.refuse(request.number, sentence)

    def _forget(self, request: _Request | _SheetRequest) -> None:
        """Does nothing if it is forgotten already."""
        self.waiting = deque(other for other in self.waiting if other is not request)

    def refuse(self, number: int, sentence: str) -> None:
        """Answer a request with an error."""
        self._say({"id": number, "error": sentence})

    def _piece(self, request: _Request) -> None:
        ids = np.array(request.ids[request.at : request.at + self.piece], np.int64)
        if len(ids):
            start = time.perf_counter()
            stamp, predictor = self._model(request.run)
            if stamp != request.stamp and request.gathered:
                self._reply(request, done=False)
            request.stamp = stamp
            points, confidences = self._predict(request, ids, predictor)
            request.points.append(points)
            request.confidences.append(confidences)
            request.at += len(ids)
            if len(ids) == self.piece:
                self.piece = int(np.clip(self.piece * _SLICE_SECONDS / (time.perf_counter() - start), 4, CHUNK))
        done = request.at >= len(request.ids)
        if done or request.gathered + self.piece > CHUNK:
            self._reply(request, done=done)
        if done:
            self._forget(request)

    def _reply(self, request: _Request, *, done: bool) -> None:
        count = request.gathered
        reply = {
            "id": request.number,
            "ids": request.ids[request.at - count : request.at],
            "points": [p for part in request.points for p in np.round(part, 3).tolist()],
            "confidences": [c for part in request.confidences for c in np.round(part.astype(np.float64), 8).tolist()],
            "model": request.stamp,
            "done": done,
        }
        request.points, request.confidences = [], []
        self._say(reply)

    def _say(self, reply: dict[str, Any]) -> None:
        self.out.write(json.dumps(reply, allow_nan=False) + "\n")
        self.out.flush()

    def _predict(self, request: _Request, ids: np.ndarray, predictor: Predictor) -> tuple[np.ndarray, np.ndarray]:
        """Points [B, K, 2] in px of the original images, and confidences [B, K]."""
        project = self._project(request.project)
        if predictor.schema.keypoints != project.schema.keypoints:
            raise UserError(f"The model of {request.run.name} has different keypoints from the project {project.name}.")
        config = predictor.info.config
        points, confidences = predictor.predict(
            load_images(project, ids, config), predictor.schemes_of(project.path, ids)
        )
        if len(ids) == 1:
            sample = project.sample(int(ids[0]))
            sizes = np.array([(sample.width, sample.height)])
        else:
            index = project.index()
            rows = np.searchsorted(index.ids, ids)
            sizes = np.stack([index.widths[rows], index.heights[rows]], axis=1)
        return resize_points(points, (config.network.input_size, config.network.input_size), sizes), confidences

    def _model(self, run: Run) -> tuple[str, Predictor]:
        """The current model and adjustment of the run, which training replaces by better ones, and their stamp."""
        key = (run, model_stamp(run))
        if key not in self.models:
            self.models = {k: m for k, m in list(self.models.items())[1 - _MODELS :] if k[0] != run}
            self.models[key] = Predictor.load(run)
        return key[1], self.models[key]

    def _project(self, address: Address) -> Project:
        if address not in self.projects:
            self.close()
            self.projects[address] = Project.open(address, read_only=True)
        return self.projects[address]

    def close(self) -> None:
        for project in self.projects.values():
            project.close()
        self.projects.clear()


def serve(source: TextIO, out: TextIO) -> None:
    """Answer until stdin ends or `quit` comes."""
    keep_memory()
    set_threads(0)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(source, lines), daemon=True).start()
    worker = Worker(out)
    try:
        while True:
            while not worker.waiting or not lines.empty():
                line = lines.get()
                if not _accept(line, worker):
                    return
            worker.work()
    except BrokenPipeError:  # the reader has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        worker.close()


def _read(source: TextIO, lines: queue.SimpleQueue[str]) -> None:
    try:
        for line in source:
            lines.put(line)
    finally:
        lines.put("")


def _accept(line: str, worker: Worker) -> bool:
    """Handle a line; False ends the worker. What is no request is answered with an error if it says whose it is."""
    if not line:
        return False
    number: Any = None
    try:
        message = parse_json(line)
        number = message.get("id") if isinstance(message, dict) else None
        if message["cmd"] == "quit":
            return False
        worker.take(message)
    except (ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"not a request ({error}): {line[:200]!r}\n")
        if type(number) is int and abs(number) <= _LARGEST:
            worker.refuse(number, f"The worker does not understand this request ({error}).")
    return True


def _whole(value: Any) -> int:
    if type(value) is not int or abs(value) > _LARGEST:
        raise ValueError(f"{str(value)[:40]} is not a whole number")
    return value
