"""Whether separate marking schemes help if sources place points differently, and do no harm if they do not.

    python -m benchmarks.schemes_study [--data ../shared/data] [--recipe fast] [--epochs 6] [--seeds 2] [--out DIR]

differ: faces15 (labelled by machine) and photos15 (by people) in one project, trained together, with each val split
measured in its own scheme. alike: faces15 split at random into two sources that place points alike. moved: the same
two, but the second places eyebrows MOVED px higher and the mouth as much lower, with no sign of it in its images. With
`--set schemes=one` the network has a single scheme; "import" has one per source, "auto" also one per frequent pattern
of missing labels (in faces15: rows with four points, which are placed as in the others). All faces are 96x96 gray. RMSE
in px, one line per run, then the means.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.comparison_data import DATA, SIDE
from benchmarks.starter_data import joined_project
from training.faces.measures.metrics import rmse
from training.learning.fit.train_run import train_run
from training.learning.inference.predictor import Predictor
from training.storage.project.project import Project
from training.storage.runs.inputs.snapshot import load_snapshot
from training.storage.runs.new_run import create_run
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.recipes import recipe_config

ARMS = ("one", "import", "auto")
PROJECTS = ("differ", "alike", "moved")
MOVED = 2.0  # px


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--schemes", default=",".join(ARMS))
    parser.add_argument("--projects", default=",".join(PROJECTS))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    config = recipe_config(args.recipe).changed(epochs=args.epochs, minutes=None, threads=1)
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name in args.projects.split(","):
            joined_project(folder / f"{name}.fkp", sources(name, args.data, folder / name))
        for seed in range(args.seeds):
            for name in args.projects.split(","):
                for how in args.schemes.split(","):
                    run = trained(folder / f"{name}.fkp", config.changed(schemes=how, seed=seed))
                    for part, value in measured(folder / f"{name}.fkp", run).items():
                        found[name, how, part].append(value)
                        print(f"{name}, schemes {how}, seed {seed}, val of {part}: {value:.3f} px", flush=True)
    print("\n| sources | schemes | val of | RMSE px, mean of the seeds |\n| --- | --- | --- | ---: |")
    for (name, how, part), values in found.items():
        print(f"| {name} | {how} | {part} | {np.mean(values):.3f} ({', '.join(f'{v:.3f}' for v in values)}) |")


def sources(project: str, data: Path, folder: Path) -> list[tuple[str, Path]]:
    """The sources of a project of this study and their labels; new files are written to the folder."""
    if project == "differ":
        return [(name, table(data / name)) for name in ("faces15", "photos15")]
    return parted(table(data / "faces15"), folder, moved=MOVED if project == "moved" else 0.0)


def table(folder: Path) -> Path:
    """The labels to train with."""
    return next(path for path in (folder / "labels.csv", folder / "labels_complete.csv") if path.is_file())


def parted(labels: Path, folder: Path, *, moved: float) -> list[tuple[str, Path]]:
    """Split a table's rows at random into two sources that are marked alike, except for `moved`, px."""
    with labels.open(newline="") as file:
        header, *rows = csv.reader(file)
    first = np.random.default_rng(0).random(len(rows)) < 0.5
    parts = []
    for name, chosen in (("a", first), ("b", ~first)):
        (folder / name).mkdir(parents=True)
        (folder / name / "images").symlink_to((labels.parent / "images").absolute(), target_is_directory=True)
        with (folder / name / "labels.csv").open("w", newline="") as file:
            mine = [row for row, is_in in zip(rows, chosen, strict=True) if is_in]
            by = [moved * (name == "b") * direction(column) for column in header]
            csv.writer(file).writerows(
                [header, *([shifted(*pair) for pair in zip(row, by, strict=True)] for row in mine)]
            )
        parts.append((name, folder / name / "labels.csv"))
    return parts


def direction(column: str) -> int:
    """The direction in which the second source's labels move in this column: up, down or none."""
    if not column.endswith("_y"):
        return 0
    return -1 if "eyebrow" in column else int("mouth" in column)


def shifted(cell: str, by: float) -> str:
    """A moved label in px; a missing one stays missing."""
    return f"{float(cell) + by:.4f}" if cell and by else cell


def trained(project: Path, config: RunConfig) -> Run:
    """A trained run."""
    with Project.open(project) as opened:
        run = create_run(opened, config)
    train_run(run)
    return run


def measured(project: Path, run: Run) -> dict[str, float]:
    """RMSE on the val faces of each source, each face in its row's scheme."""
    predictor = Predictor.load(run, device="cpu", adjusted=False)
    snapshot = load_snapshot(run)
    val = np.flatnonzero(snapshot.splits == 1)
    ids, truth = snapshot.ids[val], snapshot.points[val]
    with Project.open(project, read_only=True) as opened:
        images = opened.images(ids, size=SIDE)
        sources = np.array([name.partition("/")[0] for name in opened.names(ids)])
    points = predictor.predict_points(images, predictor.schemes_of(project, ids))
    return {str(part): rmse(points[sources == part], truth[sources == part]) for part in np.unique(sources)}


if __name__ == "__main__":
    main()
