"""An editing program is killed at random moments: nothing that it acknowledged is lost, nothing is half done."""

from __future__ import annotations

import gc
import json
import os
import random
import select
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from tests.torture.inputs import POINTS, SIDE, encoded, with_predictions
from tests.torture.kills.editor import PHOTO, edit_until_killed
from tests.torture.kills.judge import Acknowledged, judge
from tests.torture.outcome import Outcome
from training.faces.labels.labels import Labels
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.project import Project

SAMPLES, PHOTOS = 314, 6  # more than what the store writes at once, so that some edits go to the worker thread
ANEW = 60  # kills of one project: it grows
SIGNALS = [signal.SIGKILL] * 8 + [signal.SIGTERM, signal.SIGINT]
DELAYS = (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12)  # s after an edit began
_PATIENCE = 60.0  # s without a word


@dataclass
class Seen:
    """What the parent heard before the child was gone."""

    last: Acknowledged | None = None
    begun: str | None = None
    crash: str = ""
    acknowledged: int = 0
    buffer: bytes = field(default=b"", repr=False)

    def take(self, data: bytes) -> None:
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            values = json.loads(line)
            if "crash" in values:
                self.crash = values["crash"]
            elif "begun" in values:
                self.begun = values["begun"]
            else:
                self.last, self.begun = Acknowledged(values["digest"], *values["shape"]), None
                self.acknowledged += 1


def run(scratch: Path, *, count: int, seed: int) -> Outcome:
    """count: how many kills."""
    cv2.setNumThreads(1)
    outcome, path = Outcome(), Path()
    edits = outcome.row("acknowledged edits")
    for n in range(count):
        if n % ANEW == 0:
            path = make_project(scratch / f"edited-{n}.fkp", scratch / "photos")
        gc.collect()
        seen = kill_one(path, scratch, seed=seed * 1_000_000 + n)
        wrong = [seen.crash] if seen.crash else ["it never opened"] if seen.last is None else []
        if seen.last is not None and not seen.crash:
            wrong += judge(path, seen.last, seen.begun)
        edits.tried += seen.acknowledged
        outcome.row(f"during: {seen.begun or 'nothing'}").add(
            "intact" if not wrong else "harmed", wrong, case=f"kill {n}"
        )
        if wrong:
            shutil.copytree(path, scratch / f"found-{n}.fkp")
    edits.ends["all there" if not outcome.found else "see below"] = edits.tried
    return outcome


def kill_one(path: Path, scratch: Path, *, seed: int) -> Seen:
    """Let a child edit, and kill it while or after it makes some edit."""
    choose = random.Random(seed)
    number, after = choose.choice(SIGNALS), choose.randint(1, 25)
    delay = choose.choice(DELAYS) * 2 * choose.random()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        edit_until_killed(path, writer, seed=seed, scratch=scratch)
    os.close(writer)
    seen = Seen()
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        _listen(pipe.fileno(), seen, child, number=number, after=after, delay=delay)
    os.waitpid(child, 0)
    return seen


def _listen(pipe: int, seen: Seen, child: int, *, number: int, after: int, delay: float) -> None:
    """Until the child is gone: once it has acknowledged `after` edits and begun another, it is killed `delay` s later."""
    until, due, killed = time.monotonic() + _PATIENCE, False, False
    while True:
        if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            os.kill(child, signal.SIGKILL if killed else number)
            killed, until = True, time.monotonic() + _PATIENCE
            continue
        data = os.read(pipe, 1 << 16)
        if not data:
            return
        seen.take(data)
        if seen.acknowledged >= after and seen.begun is not None and not due:
            due, until = True, time.monotonic() + delay


def make_project(path: Path, photos: Path) -> Path:
    """Faces with pixels in the project, some in groups, and faces cropped from photos; all predicted by one run."""
    photos.mkdir(parents=True, exist_ok=True)
    for n in range(PHOTOS):
        (photos / f"photo{n}.png").write_bytes(encoded(n, ".png", side=PHOTO))
    draw = np.random.default_rng(0)
    with Project.create(path, KAGGLE_15) as project:
        project.add_samples(_with_pixels(draw), source="training.csv")
        project.add_samples(_of_photos(draw, photos), source="photos")
    with_predictions(path)
    return path


def _points(draw: np.random.Generator, count: int, side: int) -> Labels:
    points = draw.uniform(5, side - 5, (count, POINTS, 2))
    points[draw.random((count, POINTS)) < 0.6] = np.nan
    return Labels.from_points(points)


def _with_pixels(draw: np.random.Generator) -> SampleBatch:
    return SampleBatch(
        names=tuple(f"face{i}" for i in range(SAMPLES)),
        sources=tuple(f"training.csv#{i}" for i in range(SAMPLES)),
        labels=_points(draw, SAMPLES, SIDE),
        widths=np.full(SAMPLES, SIDE, np.int32),
        heights=np.full(SAMPLES, SIDE, np.int32),
        groups=tuple(f"person {i // 3}" if i % 2 else "" for i in range(SAMPLES)),
        splits=(np.arange(SAMPLES) % 7 == 0).astype(np.uint8),
        pixels=draw.integers(0, 256, (SAMPLES, SIDE, SIDE), np.uint8),
    )


def _of_photos(draw: np.random.Generator, photos: Path) -> SampleBatch:
    return SampleBatch(
        names=tuple(f"photo{n}.png" for n in range(PHOTOS)),
        sources=("photos",) * PHOTOS,
        labels=_points(draw, PHOTOS, 100),
        widths=np.full(PHOTOS, 100, np.int32),
        heights=np.full(PHOTOS, 100, np.int32),
        groups=("",) * PHOTOS,
        splits=np.zeros(PHOTOS, np.uint8),
        paths=tuple(photos / f"photo{n}.png" for n in range(PHOTOS)),
        crops=np.array([[20, 20, 100]] * PHOTOS, np.int64),
        boxes=np.array([[30.0, 30, 60, 60]] * PHOTOS),
    )
