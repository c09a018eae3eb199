"""How fast the other points follow a dragged one: computation alone, and with painting the canvas.

    python benchmarks/fill_live.py [--moves N]

Faces with 15 and 68 points, a third of them labelled, and a fill model fitted on simulated errors. `far` drags the
point so far from its expected place that it is treated as a slip, which takes longer. Medians of processor time; the
window is drawn off screen.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.assist.filling.model import FillModel, fit_fill, given_labels
from training.faces.labels.labels import Labels
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import IBUG_68, KAGGLE_15, KeypointSchema
from training.storage.project.project import Project
from training.storage.runs.run import Run

SIDE, RUN = 256, "0001-made-up"
WINDOW = (1000, 800)
FACES = 300  # the fill model is fitted on


def main() -> None:
    """Print a row per number of points."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=100)
    moves = parser.parse_args().moves
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    print("| points | arithmetic, ms | far | with painting, ms | far | painting alone |")
    print("|--:|--:|--:|--:|--:|--:|")
    from fkp_studio.window.application import make_application

    make_application()
    with tempfile.TemporaryDirectory() as folder:
        for schema in (KAGGLE_15, IBUG_68):
            path, fill = make_project(Path(folder) / f"{len(schema)}.fkp", schema)
            figures = [*arithmetic(path, fill, moves), *painted(path, moves)]
            print(f"| {len(schema)} | " + " | ".join(f"{1000 * f:.2f}" for f in figures) + " |")


def make_project(path: Path, schema: KeypointSchema) -> tuple[Path, FillModel]:
    """A project of one face, every third point labelled, with shifted and noisy predictions."""
    random = np.random.default_rng(0)
    truth = (np.array(schema.template) * 0.6 + 0.2) * SIDE
    off = random.normal(0, 4, (FACES, 1, 2)) + random.normal(0, 2, (FACES, len(schema), 2))
    fill = fit_fill(truth - off, np.broadcast_to(truth, off.shape), np.full((FACES, 2), SIDE))
    if fill is None:
        raise RuntimeError("too few faces")
    labelled = np.where(np.arange(len(schema))[:, None] % 3 == 0, truth, np.nan)
    sample = SampleBatch(
        names=("face",),
        sources=("benchmark",),
        labels=Labels.from_points(labelled[None]),
        widths=np.array([SIDE], np.int32),
        heights=np.array([SIDE], np.int32),
        groups=("",),
        splits=np.zeros(1, np.uint8),
        pixels=random.integers(0, 255, (1, SIDE, SIDE), np.uint8),
    )
    with Project.create(path, schema) as project:
        project.add_samples(sample)
        project.write_predictions(RUN, [1], (truth - off[0])[None], np.full((1, len(schema)), 0.5))
        (project.runs_dir / RUN).mkdir(parents=True)
        fill.save(Run(project.runs_dir / RUN).fill)
    return path, fill


def ways(moves: int) -> list[np.ndarray]:
    """The drag positions, px from the point: near and far."""
    angles = np.linspace(0, 2 * np.pi, moves)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return [3 * circle, 60 * circle]


def arithmetic(path: Path, fill: FillModel, moves: int) -> list[float]:
    """Median seconds to predict a face given its labels, near and far."""
    with Project.open(path, read_only=True) as project:
        labels, says = project.labels([1]), project.predictions(RUN, [1])
    start, size = labels.points[0, 0].copy(), np.array([[SIDE, SIDE]])

    def move(way: np.ndarray) -> None:
        labels.points[0, 0] = start + way
        given_labels(fill, labels, says, size)

    return [median(move, way) for way in ways(moves)]


def painted(path: Path, moves: int) -> list[float]:
    """Median seconds from a mouse move to the painted canvas, near and far, and of repainting alone."""
    from PySide6.QtCore import QCoreApplication

    from fkp_studio.document.session import Session
    from fkp_studio.views.canvas.view import CanvasView

    session = Session()
    view = CanvasView(session)
    view.resize(*WINDOW)
    view.show()
    session.open_project(path)
    session.set_run(RUN)
    while view.shown_face is None:
        QCoreApplication.processEvents()
    x, y = view.shown_face.points[0].tolist()

    def move(way: np.ndarray) -> None:
        view.preview(0, (x + float(way[0]), y + float(way[1])))
        view.viewport().repaint()

    found = [median(move, way) for way in ways(moves)]
    found.append(median(lambda _: view.viewport().repaint(), ways(moves)[0]))
    session.close_project()
    view.close()
    return found


def median(move: Callable[[np.ndarray], None], way: np.ndarray) -> float:
    """Seconds for one move."""
    took = []
    for step in way:
        start = time.thread_time()
        move(step)
        took.append(time.thread_time() - start)
    return float(np.median(took))


if __name__ == "__main__":
    main()
