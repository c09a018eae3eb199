"""What one face shows: its labels, the shown run's prediction, and what follows from both. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from training.data.keypoint_data import Labels, Origin, PointState
from training.data.schema import KeypointSchema

if TYPE_CHECKING:
    from fkp_studio.project.store import ProjectStore

HALF_PIXEL = 0.5


@dataclass(frozen=True)
class Face:
    """One sample as views draw it: size in pixels, labels of one row, the prediction of the shown run.

    predicted: float64 [K, 2], NaN where none. confidences: float64 [K], of the prediction, NaN where none.
    suspect: bool [K], points that look wrong (see `suspects`).
    """

    sample_id: int
    name: str
    width: int
    height: int
    labels: Labels
    predicted: np.ndarray
    confidences: np.ndarray
    suspect: np.ndarray

    @cached_property
    def points(self) -> np.ndarray:
        """float64 [K, 2], NaN where there is no point."""
        return np.asarray(self.labels.points[0])

    @cached_property
    def states(self) -> np.ndarray:
        """uint8 [K]."""
        return np.asarray(self.labels.states[0])

    @cached_property
    def present(self) -> np.ndarray:
        """bool [K]: points with coordinates."""
        return np.asarray(self.labels.mask[0])

    @cached_property
    def errors(self) -> np.ndarray:
        """float64 [K]: distance in picture pixels from label to prediction, NaN where one of them is missing."""
        return np.asarray(np.hypot(*(self.points - self.predicted).T))

    @property
    def mean_error(self) -> float:
        """Mean of `errors` in pixels over what a person or the source vouches for, NaN where no point has both."""
        counted = np.isfinite(self.errors) & (self.labels.origins[0] != Origin.MODEL)
        errors = self.errors[counted]
        return float(errors.mean()) if len(errors) else float("nan")

    @cached_property
    def acceptable(self) -> np.ndarray:
        """bool [K]: unset points for which there is a prediction."""
        return (self.states == PointState.UNSET) & np.isfinite(self.predicted).all(axis=1)

    def with_point(self, keypoint: int, at: tuple[float, float]) -> Face:
        """The face as it would look with one point elsewhere."""
        labels = self.labels.copy()
        labels.points[0, keypoint] = at
        if not self.present[keypoint]:
            labels.states[0, keypoint] = PointState.VISIBLE
        return replace(self, labels=labels)


def read_faces(store: ProjectStore, ids: Sequence[int], *, run: str = "") -> list[Face]:
    """The faces of `ids` with the predictions of `run` ("" for none)."""
    schema, count = store.schema, len(ids)
    labels = store.labels(ids)
    predicted = np.full((count, len(schema), 2), np.nan)
    confidences = np.full((count, len(schema)), np.nan)
    if run:
        found = store.predictions(run, ids)
        predicted[:], confidences[:] = found.points, found.confidences
    faces = []
    for row, sample_id in enumerate(ids):
        sample = store.sample(sample_id)
        one = labels[row : row + 1]
        suspect = suspects(one.points[0], schema, width=sample.width, height=sample.height)
        faces.append(
            Face(
                int(sample_id), sample.name, sample.width, sample.height, one, predicted[row], confidences[row], suspect
            )
        )
    return faces


def suspects(points: np.ndarray, schema: KeypointSchema, *, width: int, height: int) -> np.ndarray:
    """bool [K]: points outside the picture, and left/right pairs that point against the other pairs of the face.

    points: [K, 2] px. A pair counts as swapped when its left-to-right vector runs backwards along the mean of all
    pairs by over a quarter of that mean's length: turned heads fold pairs together, but do not turn them round.
    """
    too_low, too_high = points < -HALF_PIXEL, points > np.array([width, height]) - HALF_PIXEL  # never so for NaN
    wrong = np.asarray((too_low | too_high).any(axis=1))
    flip = np.array(schema.flip)
    left = np.flatnonzero(np.arange(len(flip)) < flip)
    spans = points[flip[left]] - points[left]  # [P, 2]
    known = np.isfinite(spans).all(axis=1)
    left, spans = left[known], spans[known]
    if len(left) < 3:  # two pairs that disagree do not tell which one is wrong
        return wrong
    middle = np.median(spans, axis=0)
    swapped = left[spans @ middle < -0.25 * float(middle @ middle)]
    wrong[swapped] = wrong[flip[swapped]] = True
    return wrong
