"""Time and memory of an import, compared with reading the file; medians over fresh processes.

usage: python benchmarks/import_speed.py [SOURCE] [--repeats 3] [--columns 2000 8000 40000]

SOURCE is anything `fkp import` accepts. Without it, a training.csv of the real size (7,049 rows of 96 x 96) is made.
--columns: imports tables of one image with so many columns of points instead, to compare how the time grows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from training.faces.labels.schema import KAGGLE_15
from training.sources.formats.tables.pixel_text import pixel_text

ROWS, SIDE = 7049, 96
ONE_IMPORT = """
import json, resource, sys, time
from pathlib import Path
from training.sources.exchange.import_source import import_source
from training.storage.project.project import Project
before = time.process_time()
report = import_source(Path(sys.argv[1]), Path(sys.argv[2]))
cpu = time.process_time() - before
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
begun = time.perf_counter()
with Project.open(Path(sys.argv[2])) as project:
    project.index(), project.labels([1]), project.image(1)
print(json.dumps([report.seconds, cpu, peak, report.count, time.perf_counter() - begun]))
"""


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("source", type=Path, nargs="?")
    ask.add_argument("--repeats", type=int, default=3)
    ask.add_argument("--columns", type=int, nargs="+", default=[])
    args = ask.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.columns:
            for columns in args.columns:
                measure(make_wide_table(Path(folder) / f"{columns} columns", columns), args.repeats)
        else:
            measure(args.source or make_training_csv(Path(folder) / "training.csv"), args.repeats)


def measure(source: Path, repeats: int) -> None:
    """Import a source some times, and print the medians."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [one_run(source, Path(folder) / f"{i}.fkp") for i in range(repeats)]
    size = sum(path.stat().st_size for path in files_of(source))
    read, seconds, cpu, memory, count, reopen = (statistics.median(values) for values in zip(*runs, strict=True))
    print(f"{source}: {count:,.0f} samples, {size / 1e6:.0f} MB, medians of {repeats}")
    print(f"plain reading          {read:7.2f} s")
    print(f"import                 {seconds:7.2f} s   ({seconds - read:.2f} s beyond reading; processor {cpu:.2f} s)")
    print(f"peak memory            {memory:7.0f} MB")
    print(f"reopen, first image    {reopen:7.3f} s")


def one_run(source: Path, project: Path) -> list[float]:
    """[seconds of plain reading, of the import, its CPU seconds, its peak memory MB, samples, seconds to reopen]."""
    begun = time.perf_counter()
    for path in files_of(source):
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass
    read = time.perf_counter() - begun
    command = [sys.executable, "-c", ONE_IMPORT, str(source), str(project)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [read, *json.loads(done.stdout)]


def files_of(source: Path) -> list[Path]:
    """The files that belong to a source."""
    return [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]


def make_wide_table(folder: Path, columns: int) -> Path:
    """A folder with one image and its points in so many columns, half of them pairs of left and right."""
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), np.zeros((SIDE, SIDE), np.uint8))
    names = [f"{side}_{k}" for k in range(columns // 4) for side in ("left", "right")]
    cells = [f"{value:.1f}" for value in np.random.default_rng(0).uniform(5, SIDE - 5, 2 * len(names))]
    header = ["image", *(f"{name}_{axis}" for name in names for axis in "xy")]
    (folder / "labels.csv").write_text(f"{','.join(header)}\n{','.join(['a.png', *cells])}\n")
    return folder


def make_training_csv(path: Path) -> Path:
    """A file of the real size with smooth noise as images."""
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(",".join([*KAGGLE_15.columns, "Image"]).encode() + b"\n")
        for _ in range(ROWS):
            image = cv2.resize(rng.integers(0, 256, (12, 12)).astype(np.uint8), (SIDE, SIDE))
            cells = [f"{value:.9f}" for value in rng.uniform(5, SIDE - 5, 30)]
            file.write(",".join(cells).encode() + b"," + pixel_text(image) + b"\n")
    return path


if __name__ == "__main__":
    main()
