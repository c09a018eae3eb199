"""Speed of a project with 7,000 and a million samples: python benchmarks/project_scale.py [--samples N]

Prints medians (and the slowest) in milliseconds, with a row written by SQLite alone for comparison. Labels are random,
images are paths that are never read; the projects are made in a temporary folder that is removed at the end.
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from training.assist.filling.accept import accept
from training.faces.labels.labels import Labels, Origin
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.edits.change import change_labels
from training.storage.project.edits.undo import undo
from training.storage.project.journal import read_steps
from training.storage.project.project import Project
from training.storage.project.tables.predictions import run_columns

RUN = "0001-ml-resnet"
BLOCK = 10_000


def batch(first: int, count: int, random: np.random.Generator) -> SampleBatch:
    points = random.uniform(10, 86, (count, 15, 2))
    points[random.random(count) < 0.67, 4:] = np.nan
    return SampleBatch(
        names=tuple(f"{first + i:07d}.png" for i in range(count)),
        sources=tuple(f"faces.csv#{first + i}" for i in range(count)),
        labels=Labels.from_points(points),
        widths=np.full(count, 96, np.int32),
        heights=np.full(count, 96, np.int32),
        groups=tuple(f"p{(first + i) // 8}" for i in range(count)),
        splits=(np.arange(count) % 10 == 0).astype(np.uint8),
        paths=tuple(Path(f"/pictures/{(first + i) // 1000}/{first + i:07d}.png") for i in range(count)),
    )


def make(path: Path, samples: int) -> None:
    random = np.random.default_rng(0)
    with Project.create(path, KAGGLE_15) as project, project.importing("faces.csv") as importing:
        for first in range(0, samples, BLOCK):
            importing.add_samples(batch(first, min(BLOCK, samples - first), random))


def timed(call: Callable[[int], object], *, times: int = 20) -> tuple[float, float]:
    """(median, slowest) in milliseconds."""
    taken = []
    for n in range(times):
        start = time.perf_counter()
        call(n)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken), max(taken)


def measure(path: Path, samples: int) -> dict[str, tuple[float, float]]:
    random = np.random.default_rng(1)
    some = random.integers(1, samples + 1, 1000)
    found = {"a bare row (reference)": bare_row(path.with_suffix(".db"))}
    found["open"] = timed(lambda _: Project.open(path).close())
    with Project.open(path) as project:
        found["index of all"] = timed(lambda _: project.index(), times=5)
        found["labels of a face"] = timed(lambda n: project.labels([int(some[n])]), times=1000)
        found["a face's sample row"] = timed(lambda n: project.sample(int(some[n])), times=1000)
        found["labels of 200 faces"] = timed(lambda n: project.labels(some[n * 40 : n * 40 + 200]))
        found["edit (write_step)"] = timed(lambda n: edit(project, int(some[n])), times=200)
        steps = [s.id for s in read_steps(project.database)][::-1]
        found["undo"] = timed(lambda n: undo(project, steps[n]), times=200)
        found["labels of all"] = timed(lambda _: project.label_hash(), times=1)
        found["predictions of all"] = timed(lambda _: predict(project), times=1)
        found["run columns of all"] = timed(lambda _: run_columns(project.database, RUN, len(project.schema)), times=1)
        accepted = []
        found["accept in all"] = timed(lambda _: accepted.append(accept(project, RUN)), times=1)
        found["undo of that"] = timed(lambda _: undo(project, accepted[0].step), times=1)
    return found


def bare_row(path: Path) -> tuple[float, float]:
    """An SQLite transaction of one row as large as a face's labels, with a project's database settings."""
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("PRAGMA journal_mode = WAL")
        sql.execute("PRAGMA synchronous = NORMAL")
        sql.execute("CREATE TABLE rows (data BLOB)")
        return timed(lambda _: sql.execute("INSERT INTO rows VALUES (?)", (bytes(500),)), times=200)


def edit(project: Project, sample: int) -> None:
    def moved(labels: Labels) -> Labels:
        after = labels.copy()
        after.points[0, 0] += 1
        after.origins[0, 0] = Origin.PERSON
        return after

    change_labels(project, [sample], moved, text="move left eye center")


def predict(project: Project) -> None:
    for ids in np.array_split(project.ids(), max(1, len(project) // BLOCK)):
        project.write_predictions(RUN, ids, np.full((len(ids), 15, 2), 40.0), np.full((len(ids), 15), 0.9))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    sizes = (7_000, parser.parse_args().samples)
    with tempfile.TemporaryDirectory() as folder:
        columns = []
        for samples in sizes:
            path = Path(folder) / f"{samples}.fkp"
            start = time.perf_counter()
            make(path, samples)
            made = 1000 * (time.perf_counter() - start)
            columns.append({"make and import": (made, made), **measure(path, samples)})
            size = sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
            print(f"{samples:,} samples: {size / 1e6:,.0f} MB on disk")
    print(f"{'ms: median (slowest)':24}" + "".join(f"{n:>24,}" for n in sizes))
    for name in columns[0]:
        print(f"{name:24}" + "".join(f"{c[name][0]:14.3f} ({c[name][1]:.3f})".rjust(24) for c in columns))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))
    print(f"peak memory {peak:,.0f} MB")


if __name__ == "__main__":
    main()
