"""Labels of synthetic faces: Kaggle's shares of missing points, noise, and errors that are listed correctly."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from training.faces.labels.labels import PointState
from training.faces.labels.schema import KAGGLE_15
from training.synthetic.label_noise import FOUR, kaggle_missing, make_labels, plant_errors, take_away

COUNT = 400
FLIP = list(KAGGLE_15.flip)


@pytest.fixture
def points() -> np.ndarray:
    template = np.array(KAGGLE_15.template) * 70 + 10
    return template + np.random.default_rng(0).normal(0, 2, (COUNT, 1, 2))


def test_missing_points_have_the_shares_of_the_kaggle_file() -> None:
    missing = kaggle_missing(7049, rng=np.random.default_rng(0))
    present = Counter(15 - missing.sum(axis=1))
    assert present[15] == 2140
    assert present[4] >= 4755
    four = np.ones(15, bool)
    four[list(FOUR)] = False
    assert (missing == four).all(axis=1).sum() == 4755
    assert sum(n for k, n in present.items() if k not in (4, 15)) >= 140


def test_a_missing_point_is_unset(points: np.ndarray) -> None:
    labels = make_labels(points, np.ones(points.shape[:2], bool), noise=0.0, rng=np.random.default_rng(0))
    missing = kaggle_missing(COUNT, rng=np.random.default_rng(1))
    take_away(labels, missing)
    assert np.array_equal(labels.missing, missing)
    assert np.isnan(labels.points[missing]).all()
    assert np.array_equal(labels.points[~missing], points[~missing])


def test_a_hidden_point_is_occluded_and_keeps_its_place(points: np.ndarray) -> None:
    visible = np.ones(points.shape[:2], bool)
    visible[3, 5] = False
    labels = make_labels(points, visible, noise=0.0, rng=np.random.default_rng(0))
    assert labels.states[3, 5] == PointState.OCCLUDED
    assert np.array_equal(labels.points[3, 5], points[3, 5])


def test_label_noise_has_the_asked_spread(points: np.ndarray) -> None:
    labels = make_labels(points, np.ones(points.shape[:2], bool), noise=1.5, rng=np.random.default_rng(0))
    assert np.std(labels.points - points) == pytest.approx(1.5, rel=0.03)


def test_planted_errors_are_where_they_say_and_nowhere_else(points: np.ndarray) -> None:
    labels = make_labels(points, np.ones(points.shape[:2], bool), noise=0.0, rng=np.random.default_rng(0))
    take_away(labels, kaggle_missing(COUNT, rng=np.random.default_rng(1)))
    before = labels.copy()
    rows = np.arange(0, COUNT, 10)
    errors = plant_errors(labels, rows, rng=np.random.default_rng(2))
    assert [e.sample for e in errors] == rows.tolist()
    assert {e.kind for e in errors} == {"swap", "offset"}
    said = np.zeros(labels.states.shape, bool)
    for error in errors:
        said[error.sample, list(error.keypoints)] = True
        moved = labels.points[error.sample, list(error.keypoints)]
        if error.kind == "swap":
            assert np.array_equal(moved, before.points[error.sample, [FLIP[k] for k in error.keypoints]])
        else:
            assert 9.9 < np.hypot(*(moved - before.points[error.sample, list(error.keypoints)])[0]) < 25.1
            assert (moved >= 0).all() and (moved <= 95).all()
    changed = (labels.points != before.points).any(axis=-1) & ~np.isnan(before.points).any(axis=-1)
    assert np.array_equal(changed, said)
