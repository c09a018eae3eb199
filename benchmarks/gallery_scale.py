"""The gallery with a million faces: open, scroll, filter, sort; medians, and pauses of the event loop.

usage: python benchmarks/gallery_scale.py [--samples 1000000] [--project DIR.fkp]

Makes a project whose images are a few hundred files used repeatedly (kept if --project names it), shows the gallery (on
the screen, or offscreen without one), and measures with a 1 ms timer how long the interface thread was blocked. A pause
is the delay of a tick.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

if not os.environ.get("DISPLAY") and sys.platform == "linux":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import cv2
from PySide6.QtCore import QElapsedTimer, QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication

from fkp_studio.document.session import Session
from fkp_studio.look.style import theme
from fkp_studio.views.gallery.filters import Filter, Query, Sort
from fkp_studio.views.gallery.panel import GalleryPanel
from training.faces.labels.labels import Labels
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.project import Project

IMAGES = 256
BATCH = 8192
RUN = "0001-ml-resnet"
SCROLLS = 150


def make(path: Path, *, samples: int) -> None:
    """A project with labels (Kaggle's pattern of missing ones) and predictions of one run."""
    random = np.random.default_rng(0)
    folder = path.with_suffix(".pictures")
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{i:03d}.png" for i in range(IMAGES)]
    for file in files:
        cv2.imwrite(str(file), cv2.GaussianBlur(random.integers(0, 255, (96, 96), np.uint8), (0, 0), 3))
    template = np.array(KAGGLE_15.template) * 90
    with Project.create(path, KAGGLE_15) as project, project.importing("made up") as importing:
        for start in range(0, samples, BATCH):
            count = min(BATCH, samples - start)
            points = template + random.normal(0, 2, (count, 15, 2))
            rare = np.array([i for i in range(15) if i not in (0, 1, 10, 14)])
            lacks = random.random(count) < 0.67
            shown = points.copy()
            shown[np.ix_(lacks, rare)] = np.nan
            number = range(start, start + count)
            batch = SampleBatch(
                names=tuple(f"face {i}" for i in number),
                sources=tuple(f"made up#{i}" for i in number),
                labels=Labels.from_points(shown),
                widths=np.full(count, 96, np.int32),
                heights=np.full(count, 96, np.int32),
                groups=("",) * count,
                splits=(random.random(count) < 0.15).astype(np.uint8),
                paths=tuple(files[i % IMAGES] for i in number),
            )
            ids = importing.add_samples(batch)
            project.write_predictions(RUN, ids, points + random.normal(0, 1, points.shape), random.random((count, 15)))


class Pauses:
    """The delays of a 1 ms timer, in ms."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self._clock, self._timer = QElapsedTimer(), QTimer(timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    def _tick(self) -> None:
        self.lags.append(max(self._clock.nsecsElapsed() / 1e6 - 1.0, 0.0))
        self._clock.restart()

    def __enter__(self) -> Pauses:
        self._clock.start()
        self._timer.start(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.stop()

    def text(self) -> str:
        lags = np.array(self.lags or [0.0])
        return f"pauses p50 {np.median(lags):5.1f}  p99 {np.percentile(lags, 99):6.1f}  worst {lags.max():6.1f} ms"


def spin(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def until(signal: object, act: object, *, seconds: int = 600) -> float:
    """Seconds from the act to the signal."""
    loop = QEventLoop()
    signal.connect(loop.quit)
    QTimer.singleShot(seconds * 1000, loop.quit)
    begun = time.perf_counter()
    act()
    loop.exec()
    signal.disconnect(loop.quit)
    return time.perf_counter() - begun


def line(what: str, seconds: float, pauses: Pauses) -> None:
    print(f"{what:42s} {seconds * 1000:9.1f} ms   {pauses.text()}", flush=True)


def measure(path: Path) -> None:
    session = Session()
    panel = GalleryPanel(session)
    panel.resize(290, 700)
    panel.show()
    spin(300)
    with Pauses() as pauses:
        spin(1000)
    line("nothing (reference)", 1.0, pauses)
    measure_opening(session, panel, path)
    measure_moving(session, panel)
    measure_queries(session, panel)
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB at most,", end=" ")
    print(f"thumbnails {panel.thumbnails.nbytes / 2**20:.1f} MB in {len(panel.thumbnails):,}")
    panel.close_project()
    session.close_project()


def measure_opening(session: Session, panel: GalleryPanel, path: Path) -> None:
    with Pauses() as pauses:
        seconds = until(panel.thumbnails.ready, lambda: session.open_project(path))
    line("open to the first thumbnails", seconds, pauses)
    with Pauses() as pauses:
        seconds = until(panel.arranger.lacking_changed, lambda: None) if panel.arranger.lacking is None else 0.0
    line("what is missing, read in the background", seconds, pauses)


def measure_moving(session: Session, panel: GalleryPanel) -> None:
    random = np.random.default_rng(0)
    bar, ready, took = panel.view.verticalScrollBar(), panel.thumbnails.ready, list[float]()
    with Pauses() as pauses:
        took += [
            until(ready, lambda: bar.setValue(int(random.integers(bar.maximum()))), seconds=5) for _ in range(SCROLLS)
        ]
    line("jump anywhere, to the first thumbnails", float(np.median(took)), pauses)
    with Pauses() as pauses:
        for step in range(SCROLLS):
            bar.setValue(bar.maximum() // 2 + 200 * step)
            spin(16)
    line("scroll on, 60 times per second", 0.016, pauses)
    with Pauses() as pauses:
        for _ in range(SCROLLS):
            session.next_sample()
            spin(16)
    line("next face", 0.016, pauses)


def measure_queries(session: Session, panel: GalleryPanel) -> None:
    queries = [Query(f) for f in (Filter.MISSING, Filter.COMPLETE, Filter.VAL, Filter.FLAGGED, Filter.ALL)]
    queries += [Query(Filter.MISSING, keypoints=(11, 12)), Query(sort=Sort.MISSING), Query(sort=Sort.NAME)]
    for query in queries:
        ask(session, panel, query)
    session.set_run(RUN)
    for query in (Query(Filter.WORST, Sort.ERROR), Query(sort=Sort.CONFIDENCE), Query(Filter.PREDICTED)):
        ask(session, panel, query)


def ask(session: Session, panel: GalleryPanel, query: Query) -> None:
    with Pauses() as pauses:
        seconds = until(session.order_changed, lambda: panel.show_query(query))
        spin(200)
    words = "" if not query.keypoints else ": mouth corners"
    line(f"{query.filter.value}{words}, {query.sort.value}", seconds, pauses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--project", type=Path)
    chosen = parser.parse_args()
    app = QApplication(sys.argv[:1])
    theme.current().set_mode("dark")
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.project or Path(folder) / "million.fkp"
        if not path.exists():
            begun = time.perf_counter()
            make(path, samples=chosen.samples)
            print(f"made {chosen.samples:,} samples in {time.perf_counter() - begun:.0f} s")
        measure(path)
    del app


if __name__ == "__main__":
    main()
