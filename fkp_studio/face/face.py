"""The data of one face to show: labels, the chosen run's prediction, and values derived from both. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fkp_studio.face.suspects import suspects
from training.assist.filling.fill_of_run import usable_fill
from training.assist.filling.model import FillModel, expected_error, given_labels
from training.faces.labels.labels import Labels, Origin, PointState
from training.storage.project.tables.predictions import Predictions
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from fkp_studio.document.store import ProjectStore


@dataclass(frozen=True)
class Given:
    """fill: the joint model of the run's errors. plain: the unconditioned prediction of one face. covariances: float64
    [K, 2, 2] px^2 of the predicted points given the labels; 0 at the labels conditioned on."""

    fill: FillModel
    plain: Predictions
    covariances: np.ndarray


@dataclass(frozen=True)
class Face:
    """One sample as views draw it: size in pixels, labels of one row, the prediction of the chosen run.

    predicted: float64 [K, 2], NaN where none. confidences: float64 [K], of the prediction, NaN where none.
    suspect: bool [K], points that look wrong (see `suspects`). given: how the prediction is conditioned on the labels,
    None if it is not.
    """

    sample_id: int
    name: str
    width: int
    height: int
    labels: Labels
    predicted: np.ndarray
    confidences: np.ndarray
    suspect: np.ndarray
    given: Given | None = None

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
        """float64 [K]: distance in image pixels from label to prediction, NaN where either is missing."""
        return np.asarray(np.hypot(*(self.points - self.predicted).T))

    @property
    def mean_error(self) -> float:
        """Mean of `errors` in pixels over labels not accepted from a model, NaN if no such point has a prediction."""
        counted = np.isfinite(self.errors) & (self.labels.origins[0] != Origin.MODEL)
        errors = self.errors[counted]
        return float(errors.mean()) if len(errors) else float("nan")

    @cached_property
    def doubts(self) -> np.ndarray:
        """float64 [K]: expected error of the prediction of each unset point in image pixels, NaN where unknown."""
        known = np.full(len(self.states), np.nan)
        if self.given is not None:
            expected = expected_error(self.given.covariances)
            known[self.acceptable] = expected[self.acceptable]
        return known

    @cached_property
    def acceptable(self) -> np.ndarray:
        """bool [K]: unset points that have a prediction."""
        return (self.states == PointState.UNSET) & np.isfinite(self.predicted).all(axis=1)

    def with_point(self, keypoint: int, at: tuple[float, float]) -> Face:
        """The face with one point at another position."""
        labels = self.labels.copy()
        labels.points[0, keypoint] = at
        labels.origins[0, keypoint] = Origin.PERSON
        if not self.present[keypoint]:
            labels.states[0, keypoint] = PointState.VISIBLE
        face = replace(self, labels=labels)
        return face if self.given is None else followed(face, self.given.fill, self.given.plain)


def followed(face: Face, fill: FillModel, plain: Predictions) -> Face:
    """The face with its predictions conditioned on its labels."""
    size = np.array([(face.width, face.height)])
    found, covariances = given_labels(fill, face.labels, plain, size)
    given = Given(fill, plain, covariances[0])
    return replace(
        face, predicted=found.points[0].astype(float), confidences=found.confidences[0].astype(float), given=given
    )


def read_faces(store: ProjectStore, ids: Sequence[int], *, run: str = "") -> list[Face]:
    """The faces of `ids` with the predictions of `run` ("" for none), given the labels if the run has a fill model."""
    schema = store.schema
    labels, fill = store.labels(ids), None
    says = _no_predictions(len(ids), len(schema))
    if run:
        says = store.predictions(run, ids)
        fill = usable_fill(Run(store.project.runs_dir / run), keypoints=len(schema))
    faces = []
    for row, sample_id in enumerate(ids):
        sample = store.sample(sample_id)
        one, plain = labels[row : row + 1], Predictions(says.points[row : row + 1], says.confidences[row : row + 1])
        face = Face(
            int(sample_id),
            sample.name,
            sample.width,
            sample.height,
            one,
            plain.points[0].astype(float),
            plain.confidences[0].astype(float),
            suspects(one.points[0], schema, width=sample.width, height=sample.height),
        )
        faces.append(followed(face, fill, plain) if fill is not None and plain.present.any() else face)
    return faces


def _no_predictions(count: int, keypoints: int) -> Predictions:
    return Predictions(
        np.full((count, keypoints, 2), np.nan, np.float32), np.full((count, keypoints), np.nan, np.float32)
    )
