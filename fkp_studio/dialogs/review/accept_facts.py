"""What the accept dialog shows: the points accepted at any threshold, and examples. For a background thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from fkp_studio.look.widgets.dialog_parts import FaceCard
from training.assist.filling.accept import fill_labels, fill_of, read_given, to_fill
from training.assist.filling.candidates import Candidates, read_candidates
from training.assist.filling.fill_of_run import make_fill
from training.errors import UserError
from training.faces.labels.labels import Labels
from training.faces.labels.run_names import run_number
from training.progress import Progress
from training.storage.project.identity import Place
from training.storage.project.project import Project
from training.storage.project.tables.predictions import Predictions
from training.storage.runs.run import Run
from training.words import counted


@dataclass(frozen=True)
class Outcome:
    """What a threshold accepts. per_keypoint: int64 [K]. examples: ids of the faces with the least confident points."""

    threshold: float
    points: int
    faces: int
    per_keypoint: np.ndarray
    examples: tuple[int, ...]


def candidates_in(path: Place, run: str, *, cancelled: Callable[[], bool]) -> Candidates:
    """All unset points that can be accepted from a run, conditioned on the labels. Raises Cancelled."""
    with Project.open(path, read_only=True) as project:
        project.database.progress = Progress(cancelled=cancelled)
        with suppress(UserError):  # a damaged fill model: accepting uses plain predictions too
            make_fill(project, Run(project.runs_dir / run))  # build it now, or the counts would change once it exists
        return read_candidates(project, run)


def outcome(candidates: Candidates, threshold: float, *, examples: int) -> Outcome:
    """Count what would be accepted at this confidence or above; 0 sets no minimum."""
    every = len(candidates.confidences)
    points = (
        every if threshold <= 0 else int(np.searchsorted(-candidates.confidences, -np.float32(threshold), side="right"))
    )
    ids = candidates.ids[:points]
    faces = int(np.count_nonzero(np.bincount(ids))) if points else 0
    shown = tuple(dict.fromkeys(ids[::-1][: 50 * examples].tolist()))[:examples]
    return Outcome(
        threshold, points, faces, np.bincount(candidates.keypoints[:points], minlength=candidates.count), shown
    )


def draw_examples(path: Place, run: str, found: Outcome, *, side: int) -> list[FaceCard]:
    """Draw the examples as they would be after accepting."""
    from fkp_studio.face.images import to_image
    from fkp_studio.face.thumbnail import draw_thumbnail

    cards = []
    with Project.open(path, read_only=True) as project:
        for sample_id in found.examples:
            ids = np.array([sample_id], np.int64)
            labels, predictions = _read(project, run, ids)
            where = to_fill(labels, predictions, min_confidence=found.threshold)
            after = fill_labels(labels, predictions, where, number=run_number(run))
            try:
                pixels = draw_thumbnail(project.image(sample_id), after, _nothing(labels), side=side)
            except UserError:  # skip images that cannot be read
                continue
            lowest = predictions.confidences[where].min() if where.any() else np.nan
            sure = f"lowest confidence {lowest:.0%}" if np.isfinite(lowest) else ""
            count = counted(int(where.sum()), "point")
            more = f"{count} of {project.sample(sample_id).name}, {sure}" if sure else ""
            cards.append(FaceCard(to_image(pixels), count, more))
    return cards


def _read(project: Project, run: str, ids: np.ndarray) -> tuple[Labels, Predictions]:
    """The labels of `ids`, and the predictions that `accept` uses for them."""
    return read_given(project, run, ids, fill=fill_of(project, run))


def _nothing(labels: Labels) -> np.ndarray:
    return np.full(labels.points.shape[1:], np.nan)
