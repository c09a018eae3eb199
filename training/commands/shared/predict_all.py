"""Batched prediction of images of different sizes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from training.commands.shared.output import note, progress_bar
from training.errors import UserError
from training.progress import Progress
from training.storage.runs.model.prediction_stamp import model_stamp, note_predicted
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from training.learning.inference.predictor import Predictor
    from training.storage.project.project import Project

BATCH = 256
LARGE = 512 * 512  # px; images from this size on are predicted in small batches


def load_predictor(run: Run, device: str) -> Predictor:
    """The model of a run folder or a `.safetensors` file. Raises UserError."""
    from training.learning.inference.device import keep_memory
    from training.learning.inference.predictor import Predictor

    keep_memory()
    return Predictor.load(run, device)


def predict_images(
    predictor: Predictor, images: Sequence[np.ndarray], schemes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Points [B, K, 2] in px of each image and confidences [B, K]; the images may differ in size.

    schemes: int64 [B], as returned by `Predictor.schemes_of`.
    """
    shapes: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for n, image in enumerate(images):
        shapes[image.shape].append(n)
    points: list[np.ndarray] = [np.empty(0)] * len(images)
    confidences = points.copy()
    for rows in shapes.values():
        own = None if schemes is None else schemes[rows]
        found = predictor.predict(np.stack([images[n] for n in rows]), own)
        for n, p, c in zip(rows, *found, strict=True):
            points[n], confidences[n] = p, c
    return np.stack(points), np.stack(confidences)


def project_batches(
    project: Project, ids: np.ndarray, unreadable: list[str]
) -> Iterator[tuple[np.ndarray, list[np.ndarray], np.ndarray]]:
    """(ids, images, crops) of samples whose image can be read; errors of the others go into `unreadable`."""
    index = project.index()
    pixels = int(index.widths.max(initial=1)) * int(index.heights.max(initial=1))
    size = BATCH if pixels < LARGE else 16
    for first in range(0, len(ids), size):
        kept, images, crops = [], [], project.faces(ids[first : first + size]).crops
        for n, sample in enumerate(ids[first : first + size].tolist()):
            try:
                images.append(project.image(sample))
            except UserError as error:
                unreadable.append(str(error))
            else:
                kept.append(n)
        if kept:
            yield ids[first : first + size][kept], images, crops[kept]


def predict_into(project: Project, run: Run, ids: np.ndarray, *, device: str = "auto") -> list[str]:
    """Predict these samples with a run and store the results in the project; returns errors of unreadable images."""
    stamp = model_stamp(run)
    predictor = load_predictor(run, device)
    check_keypoints(predictor, project)
    unreadable: list[str] = []
    done = 0
    with progress_bar("predict") as report:
        for part, images, crops in project_batches(project, ids, unreadable):
            found = predict_images(predictor, images, predictor.schemes_of(project.path, part))
            project.write_predictions(run.name, part, *found, crops=crops)
            done += len(part)
            report(done / len(ids), "")
    note_predicted(run, stamp)
    return unreadable


@contextmanager
def progress_of(project: Project, title: str) -> Iterator[None]:
    """Show a progress bar while the project reads or writes many samples."""
    with progress_bar(title) as report:
        project.database.progress = Progress(report)
        try:
            yield
        finally:
            project.database.progress = Progress()


def note_unreadable(sentences: Sequence[str]) -> None:
    """Report which images were left out: the first ten, and the number of others."""
    for sentence in sentences[:10]:
        note(f"left out: {sentence}")
    if len(sentences) > 10:
        note(f"... and {len(sentences) - 10:,} more left out")


def check_keypoints(predictor: Predictor, project: Project) -> None:
    """Raise UserError if the model's keypoints are not those of the project."""
    if predictor.schema.keypoints != project.schema.keypoints:
        raise UserError(
            f"The model predicts the {len(predictor.schema)} keypoints of {predictor.schema.name}; the project has "
            f"{len(project.schema)} of {project.schema.name}. Choose a run of this project."
        )


def chunks(items: Iterable, size: int) -> Iterator[list]:
    """Lists of at most `size` items."""
    part = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
