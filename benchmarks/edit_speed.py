"""How long the window waits for an edit to be written, while edits are brought to the disk behind it.

usage: python benchmarks/edit_speed.py [--samples 7049] [--edits 1500] [--folder FOLDER]

Prints milliseconds of `ProjectStore.place` (median, 99 of 100, slowest), how long each flush took on its thread, and a row
written by SQLite alone for comparison. FOLDER: on the disk to measure, by default the system's temporary folder.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from project_scale import make
from PySide6.QtWidgets import QApplication

from fkp_studio.document.store import ProjectStore
from training.storage.project.project import Project

PAUSE = 0.01  # s between edits: the fastest that arrow keys repeat


def words(taken: list[float]) -> str:
    ordered = sorted(1000 * t for t in taken)
    return f"median {statistics.median(ordered):6.2f}  p99 {ordered[int(0.99 * len(ordered))]:6.2f}  max {ordered[-1]:6.2f}"


def edits(path: Path, count: int) -> list[float]:
    """Seconds of each edit; the event loop runs between them."""
    app = QApplication.instance() or QApplication([])
    store, draw, taken = ProjectStore(Project.open(path)), np.random.default_rng(0), []
    for _ in range(count):
        sample, keypoint, xy = int(draw.integers(1, len(store) + 1)), int(draw.integers(15)), draw.uniform(5, 90, 2)
        began = time.perf_counter()
        store.place(sample, keypoint, (float(xy[0]), float(xy[1])))
        taken.append(time.perf_counter() - began)
        until = time.perf_counter() + PAUSE
        while time.perf_counter() < until:
            app.processEvents()
            time.sleep(0.001)
    store.close()
    return taken


def bare_rows(folder: Path, count: int) -> list[float]:
    taken = []
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as sql:
        sql.execute("PRAGMA journal_mode = WAL")
        sql.execute("PRAGMA synchronous = NORMAL")
        sql.execute("CREATE TABLE rows (data BLOB)")
        for _ in range(count):
            began = time.perf_counter()
            sql.execute("INSERT INTO rows VALUES (?)", (bytes(500),))
            taken.append(time.perf_counter() - began)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=7049)
    parser.add_argument("--edits", type=int, default=1500)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    flushes, fsync = [], os.fsync

    def timed(descriptor: int) -> None:
        began = time.perf_counter()
        fsync(descriptor)
        flushes.append(time.perf_counter() - began)

    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        make(Path(folder) / "p.fkp", args.samples)
        os.fsync = timed
        taken = edits(Path(folder) / "p.fkp", args.edits)
        os.fsync = fsync
        print(f"an edit               {words(taken)} ms, {args.edits} times")
        print(f"a row by SQLite alone {words(bare_rows(Path(folder), args.edits))} ms")
        if flushes:
            print(f"a flush, behind it    {words(flushes)} ms, {len(flushes)} times")


if __name__ == "__main__":
    main()
