"""Reads all points that could be accepted and counts them for any threshold. No widgets; for a background thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fkp_studio.look.widgets.parts import FaceCard
from training.assist.filling.accept import fill_labels, fillable_ids, read_given, to_fill
from training.assist.filling.making import make_fill
from training.assist.filling.of_run import usable_fill
from training.errors import UserError
from training.faces.labels.labels import Labels
from training.faces.labels.run_names import run_number
from training.storage.project.predictions import Predictions
from training.storage.project.project import Project
from training.storage.runs.run import Run

CHUNK = 1024  # samples read at once
NEVER = -1.0  # stands for a NaN confidence: accepted only if no minimum is set


@dataclass(frozen=True)
class Candidates:
    """Every point that could be accepted, most confident first.

    confidences: float32 [M]. ids: int32 [M], samples. keypoints: int16 [M]. count: K.
    """

    confidences: np.ndarray
    ids: np.ndarray
    keypoints: np.ndarray
    count: int


@dataclass(frozen=True)
class Outcome:
    """What a threshold accepts. per_keypoint: int64 [K]. examples: ids of the faces with the least confident points."""

    threshold: float
    points: int
    faces: int
    per_keypoint: np.ndarray
    examples: tuple[int, ...]


def read_candidates(path: Path, run: str, *, cancelled: Callable[[], bool]) -> Candidates:
    """All faces' unset points that the run has predicted, given their labels, as `Project.accept` takes them."""
    with Project.open(path, read_only=True) as project:
        with suppress(UserError):  # a damaged fill model: accepting uses plain predictions too
            make_fill(project, Run(project.runs_dir / run))  # build it now, or the counts would change once it exists
        confidences, ids, keypoints = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)], [np.zeros(0, np.int16)]
        everyone = fillable_ids(project.database)
        for start in range(0, len(everyone), CHUNK):
            if cancelled():
                break
            some = everyone[start : start + CHUNK]
            labels, predictions = _read(project, run, some)
            if predictions.present.any():
                rows, points = np.nonzero(to_fill(labels, predictions))
                confidences.append(predictions.confidences[rows, points])
                ids.append(some[rows].astype(np.int32))
                keypoints.append(points.astype(np.int16))
        sure = np.nan_to_num(np.concatenate(confidences), nan=NEVER)
        order = np.argsort(-sure, kind="stable")
        return Candidates(sure[order], _ordered(ids, order), _ordered(keypoints, order), len(project.schema))


def _ordered(parts: list[np.ndarray], order: np.ndarray) -> np.ndarray:
    """Concatenate the parts in this order and empty the list, to save memory with ten million points."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole[order]


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


def draw_examples(path: Path, run: str, found: Outcome, *, side: int) -> list[FaceCard]:
    """Draw the examples as they would be after accepting."""
    from fkp_studio.face.thumbnail import draw_thumbnail
    from fkp_studio.views.gallery.thumbnails import to_image

    cards = []
    with Project.open(path, read_only=True) as project:
        for sample_id in found.examples:
            ids = np.array([sample_id], np.int64)
            labels, predictions = _read(project, run, ids)
            where = to_fill(labels, predictions, min_confidence=found.threshold)
            after = fill_labels(labels, predictions, where, number=run_number(run))
            try:
                pixels = draw_thumbnail(project.picture(sample_id), after, _nothing(labels), side=side)
            except UserError:  # skip images that cannot be read
                continue
            lowest = predictions.confidences[where].min() if where.any() else np.nan
            sure = f"lowest confidence {lowest:.0%}" if np.isfinite(lowest) else ""
            count = f"{int(where.sum())} point{'' if where.sum() == 1 else 's'}"
            more = f"{count} of {project.sample(sample_id).name}, {sure}" if sure else ""
            cards.append(FaceCard(to_image(pixels), count, more))
    return cards


def _read(project: Project, run: str, ids: np.ndarray) -> tuple[Labels, Predictions]:
    """The labels of `ids`, and the predictions that `Project.accept` uses for them."""
    keypoints = len(project.schema)
    fill = usable_fill(Run(project.runs_dir / run), keypoints=keypoints)
    return read_given(project.database, run, ids, keypoints, fill=fill)


def _nothing(labels: Labels) -> np.ndarray:
    return np.full(labels.points.shape[1:], np.nan)
