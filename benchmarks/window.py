"""Shared by the window's benchmarks: large projects, child processes with their own settings, and descriptions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

SIDE = 96
FILES = 500  # images on disk shared by all samples of a large project
BATCH = 8192
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def make_project(folder: Path, count: int) -> Path:
    """A project of `count` samples with 15 keypoints and PNG files as images; an existing one is reused."""
    path = folder / f"bench-{count}.fkp"
    if path.exists():
        return path
    from training.faces.labels.labels import Labels
    from training.faces.labels.samples import SampleBatch
    from training.faces.labels.schema import KAGGLE_15
    from training.storage.project.project import Project

    files = _images(folder / "pictures")
    random = np.random.default_rng(0)
    points = (np.array(KAGGLE_15.template) * SIDE)[None] + random.normal(0, 3, (BATCH, 15, 2))
    points[random.random((BATCH, 15)) < 0.4] = np.nan
    with Project.create(path, KAGGLE_15) as project, project.importing("benchmark") as importing:
        for first in range(0, count, BATCH):
            size = min(BATCH, count - first)
            rows = range(first, first + size)
            importing.add_samples(
                SampleBatch(
                    names=tuple(f"{i:07d}" for i in rows),
                    sources=tuple(f"bench#{i}" for i in rows),
                    labels=Labels.from_points(points[:size]),
                    widths=np.full(size, SIDE, np.int32),
                    heights=np.full(size, SIDE, np.int32),
                    groups=("",) * size,
                    splits=np.zeros(size, np.uint8),
                    paths=tuple(files[i % FILES] for i in rows),
                )
            )
    return path


def _images(folder: Path) -> list[Path]:
    import cv2

    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(1)
    paths = [folder / f"{i:03d}.png" for i in range(FILES)]
    for path in paths:
        cv2.imwrite(str(path), cv2.GaussianBlur(random.integers(0, 255, (SIDE, SIDE)).astype(np.uint8), (0, 0), 3))
    return paths


def run_child(code: str, *arguments: str, home: Path) -> dict[str, float | list[float]]:
    """Run Python code in a separate process with its own settings; it prints one JSON object as its last line.

    BENCH_START holds the child's start time, in seconds since the epoch.
    """
    env = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT)}
    env |= {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    if not os.environ.get("DISPLAY"):
        env["QT_QPA_PLATFORM"] = "offscreen"
    env["BENCH_START"] = repr(time.time())
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    found: dict[str, float | list[float]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@contextmanager
def project_folder(keep: Path | None) -> Iterator[Path]:
    """Where projects are made: `keep`, where they stay for reuse, else a folder that is removed at the end."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


def where() -> str:
    """The machine and display the figures were taken on, for the printed line."""
    display = "on a display" if os.environ.get("DISPLAY") else "offscreen"
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {display}"
