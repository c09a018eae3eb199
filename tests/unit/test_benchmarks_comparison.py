"""The comparison with other predictors: positions of faces in other images, and the faces used for offsets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.compare_predictors import drawn, score
from benchmarks.comparison_data import Faces, frame_at, frame_of
from benchmarks.foreign_maps import mapped
from benchmarks.foreign_points import crop_of
from training.faces.labels.schema import KAGGLE_15


def faces(points: np.ndarray, groups: list[str], val: list[bool]) -> Faces:
    n = len(points)
    return Faces(
        KAGGLE_15, (Path("x.png"),) * n, np.tile([0, 0, 96.0], (n, 1)), points, np.array(groups), np.array(val)
    )


def test_frame_follows_from_points_in_both_images() -> None:
    here = np.array([[10.0, 20], [80, 22], [40, 60], [30, 80], [70, 82]])
    frame = frame_of(np.array([24.5, 12.0]) + here * 150 / 96, here)
    np.testing.assert_allclose(frame, [24.5, 12, 150])


def test_crops_put_a_dot_where_its_coordinates_say() -> None:
    image = np.zeros((120, 120), np.uint8)
    image[60:62, 40:42] = 255  # its middle is 41, 61 from the edge
    frame = np.array([20.0, 30.0, 60.0])
    small = frame_at(image, frame, side=60)
    assert small[30:32, 20:22].min() == 255
    assert small.sum() == 4 * 255
    large = crop_of(image, frame, 240)  # four times as large, 120 px of margin
    y, x = np.nonzero(large > 128)
    np.testing.assert_allclose([x.mean() + 0.5, y.mean() + 0.5], [120 + 4 * 21, 120 + 4 * 31], atol=0.1)


def test_a_keypoint_is_the_candidate_that_fits_train_faces() -> None:
    rng = np.random.default_rng(0)
    vertices = rng.uniform(0, 96, (6, 68, 2))
    truth = vertices[:, [30] * 15].copy()
    truth[:, 10] = vertices[:, 33]  # the tip of the nose is marked where dlib has its base
    found = mapped(vertices, truth, np.arange(6) < 4, names=KAGGLE_15.keypoints, shifted=False)
    np.testing.assert_array_equal(found[:, 10], vertices[:, 33])


def test_offsets_come_from_one_face_a_person_who_is_not_in_val() -> None:
    groups = ["a", "a", "b", "c", "v", "v", "w"]
    rows = drawn(faces(np.zeros((7, 15, 2)), groups, [False] * 5 + [True] * 2), 30, 2)
    for one in rows:
        assert len(one) == 2
        assert len({groups[i] for i in one}) == 2
        assert {groups[i] for i in one} <= {"a", "b", "c"}


def test_a_constant_error_goes_with_the_offsets() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(10, 80, (5, 15, 2))
    some = faces(truth, list("abcde"), [False, False, False, True, True])
    wrong = truth + np.array([3.0, 4.0])
    np.testing.assert_allclose(score(some, wrong, [np.array([], int)]).rmse, [np.sqrt(12.5)])
    np.testing.assert_allclose(score(some, wrong, [np.array([0, 1])]).rmse, [0], atol=1e-9)
