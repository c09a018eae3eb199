"""What one face shows: its labels, the shown run's prediction, and what follows from both. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fkp_studio.canvas.suspects import suspects
from training.data.keypoint_data import Labels, Origin, PointState

if TYPE_CHECKING:
    from fkp_studio.project.store import ProjectStore


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
