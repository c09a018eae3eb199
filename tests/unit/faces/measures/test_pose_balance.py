"""Head poses computed from points, and balancing by pose."""

from __future__ import annotations

import numpy as np
import pytest

from training.errors import UserError
from training.faces.labels.schema import IBUG_68, KAGGLE_15
from training.faces.measures.pose_balance import balance, bins_of, error_by_pose, pose_components, pose_edges
from training.synthetic.faces import random_person, random_scene
from training.synthetic.head import features, head_shape, skull
from training.synthetic.render import Camera, rotation

FOUR = [0, 1, 10, 14]  # eye centres, nose tip, bottom lip: what most Kaggle rows have


@pytest.fixture(scope="module")
def heads() -> tuple[np.ndarray, np.ndarray]:
    """The 15 points of synthetic heads, as seen by a camera, [N, 15, 2], with label noise, and their true yaw [N]."""
    points, yaw = [], []
    for i in range(240):
        if i % 6 == 0:
            person = random_person(3, i)
            bare = skull(person)
        scene = random_scene(3, i)
        marks = features(person, scene)
        landmarks = head_shape(bare, person, marks).lift(marks.keypoints())
        camera = Camera(rotation(scene), scene.distance, scene.eye_distance / 63.0)
        points.append(camera.see(landmarks)[0])
        yaw.append(scene.yaw)
    tremor = np.random.default_rng(0).normal(0, 0.4, (len(points), 15, 2))
    return np.array(points) + tremor, np.array(yaw)


def all_of(points: np.ndarray) -> np.ndarray:
    return np.ones(points.shape[:2], bool)


def mirrored(points: np.ndarray, flip: tuple[int, ...], *, width: int = 96) -> np.ndarray:
    result = points[:, list(flip)].copy()
    result[..., 0] = width - 1 - result[..., 0]
    return result


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    there = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[there], b[there])[0, 1])


def ibug_heads(count: int) -> tuple[np.ndarray, np.ndarray]:
    """68 points on an ellipsoid with a nose, turned by yaw, pitch and roll and seen from far: not our own heads."""
    rng = np.random.default_rng(1)
    flat = np.array(IBUG_68.template) - [0.5, 0.45]
    depth = np.sqrt(np.maximum(0.36 - (flat**2).sum(axis=1) * 0.9, 0))
    depth[27:36] += 0.12
    yaw, pitch, roll = rng.normal(0, 20, count), rng.normal(0, 8, count), rng.normal(0, 8, count)
    points = np.empty((count, 68, 2))
    for i, (y, p, r) in enumerate(np.radians(np.stack([yaw, pitch, roll], axis=1))):
        head = np.column_stack([flat * rng.uniform(0.9, 1.1, 2), depth])
        x, z = head[:, 0] * np.cos(y) + head[:, 2] * np.sin(y), head[:, 2] * np.cos(y) - head[:, 0] * np.sin(y)
        v = head[:, 1] * np.cos(p) + z * np.sin(p)
        turned = np.column_stack([x * np.cos(r) - v * np.sin(r), x * np.sin(r) + v * np.cos(r)])
        points[i] = 100 + rng.uniform(80, 160) * turned + rng.normal(0, 0.8, (68, 2))
    return points, yaw


def test_the_coefficient_tells_the_yaw_of_15_points(heads: tuple[np.ndarray, np.ndarray]) -> None:
    points, yaw = heads
    pose = pose_components(points, all_of(points), flip=KAGGLE_15.flip)
    assert correlation(pose.coefficients, yaw) > 0.95
    assert pose.lacking == 0
    assert pose.coefficients.std() == pytest.approx(1, abs=0.05)
    assert pose.component[10, 0] > 0, "the nose tip goes where the face turns"


def test_the_coefficient_tells_the_yaw_of_68_points() -> None:
    points, yaw = ibug_heads(200)
    pose = pose_components(points, all_of(points), flip=IBUG_68.flip)
    assert correlation(pose.coefficients, yaw) > 0.95


def test_most_rows_with_four_points_only(heads: tuple[np.ndarray, np.ndarray]) -> None:
    points, yaw = heads
    mask = all_of(points)
    few = np.random.default_rng(2).random(len(points)) < 0.7
    mask[np.ix_(np.flatnonzero(few), np.setdiff1d(np.arange(15), FOUR))] = False
    pose = pose_components(np.where(mask[..., None], points, np.nan), mask, flip=KAGGLE_15.flip)
    assert correlation(pose.coefficients[~few], yaw[~few]) > 0.95
    assert correlation(pose.coefficients[few], yaw[few]) > 0.9


def test_what_stands_at_a_missing_point_does_not_matter(heads: tuple[np.ndarray, np.ndarray]) -> None:
    points, _ = heads
    mask = np.random.default_rng(4).random(points.shape[:2]) < 0.8
    a = pose_components(np.where(mask[..., None], points, np.nan), mask, flip=KAGGLE_15.flip)
    b = pose_components(np.where(mask[..., None], points, -999.0), mask, flip=KAGGLE_15.flip)
    np.testing.assert_array_equal(a.coefficients, b.coefficients)


def test_a_face_with_too_few_points_has_no_pose(heads: tuple[np.ndarray, np.ndarray]) -> None:
    points, _ = heads
    mask = all_of(points)
    mask[0, 2:] = False  # two points are left
    mask[1] = False
    mask[2] = [k in (6, 7, 3) for k in range(15)]  # one brow and an eye's corner carry no information on the other side
    pose = pose_components(points, mask, flip=KAGGLE_15.flip)
    assert np.isnan(pose.coefficients[:3]).all()
    assert pose.lacking == 3


def test_a_mirrored_face_has_the_coefficient_with_the_other_sign(heads: tuple[np.ndarray, np.ndarray]) -> None:
    points, _ = heads
    pose = pose_components(points, all_of(points), flip=KAGGLE_15.flip)
    other = pose.of(mirrored(points, KAGGLE_15.flip), all_of(points))
    np.testing.assert_allclose(other, -pose.coefficients, atol=1e-9)


def test_size_place_and_roll_do_not_change_the_pose(heads: tuple[np.ndarray, np.ndarray]) -> None:
    points, _ = heads
    pose = pose_components(points, all_of(points), flip=KAGGLE_15.flip)
    turn = 1.7 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    np.testing.assert_allclose(pose.of(points @ turn.T + [300, -20], all_of(points)), pose.coefficients, atol=1e-9)


def test_without_pairs_it_is_the_largest_component_of_a_plain_pca() -> None:
    """Checked against an SVD of shapes aligned by textbook Procrustes, without SciPy."""
    rng = np.random.default_rng(5)
    base, mode = rng.normal(0, 10, (6, 2)), rng.normal(0, 1, (6, 2))
    base -= base.mean(axis=0)
    amount = rng.normal(0, 1, 80)
    points = base + amount[:, None, None] * mode * 0.3 + rng.normal(0, 0.01, (80, 6, 2))
    pose = pose_components(points, all_of(points))
    aligned = np.stack([fit_to(p, base) for p in points]).reshape(80, -1)
    _, _, vectors = np.linalg.svd(aligned - aligned.mean(axis=0), full_matrices=False)
    expected = (aligned - aligned.mean(axis=0)) @ vectors[0]
    assert abs(correlation(pose.coefficients, expected)) > 0.999
    assert abs(correlation(pose.coefficients, amount)) > 0.99


def fit_to(points: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Kabsch with scale: points shifted, rotated and scaled onto base."""
    p, b = points - points.mean(axis=0), base - base.mean(axis=0)
    u, s, vt = np.linalg.svd(p.T @ b)
    sign = np.sign(np.linalg.det(u @ vt))
    d = np.diag([1, sign])
    return p @ (u @ d @ vt) * (s * np.diag(d)).sum() / (p**2).sum()


def test_a_keypoint_that_nobody_labelled_is_left_out(heads: tuple[np.ndarray, np.ndarray]) -> None:
    points, yaw = heads
    mask = all_of(points)
    mask[:, [6, 8]] = False
    pose = pose_components(points, mask, flip=KAGGLE_15.flip)
    assert np.isnan(pose.component[[6, 8]]).all()
    assert correlation(pose.coefficients, yaw) > 0.95


def test_where_nothing_can_be_told_it_says_what_it_takes() -> None:
    with pytest.raises(UserError, match="3 faces with 3 labelled points each, and there are 0"):
        pose_components(np.zeros((5, 15, 2)), np.zeros((5, 15), bool), flip=KAGGLE_15.flip)


def test_balance_by_hand() -> None:
    """Bins of width 1 from 0 to 3: four faces, two, one; the second bin is filled to 2 x 2, the third to 1 x 4."""
    values = np.array([0.0, 0.2, 0.4, 0.9, 1.1, 1.2, 3.0, np.nan])
    found = balance(values, bins=3, seed=0)
    np.testing.assert_allclose(found.edges, [0, 1, 2, 3])
    assert found.bins.tolist() == [0, 0, 0, 0, 1, 1, 2, -1]
    assert found.copies.tolist() == [1, 1, 1, 1, 2, 2, 4, 1]
    assert found.before.tolist() == [4, 2, 1]
    assert found.after.tolist() == [4, 4, 4]
    assert found.rows.tolist() == [0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6, 7]


def test_no_face_is_shown_more_than_ten_times_and_the_rest_is_shared_out_by_the_seed() -> None:
    values = np.concatenate([np.linspace(0, 0.9, 25), [1.1, 1.2, 1.3], [2.0]])
    found = balance(values, bins=2, seed=1)
    assert found.after.tolist() == [25, 25]
    assert sorted(found.copies[25:].tolist()) == [6, 6, 6, 7]
    assert (balance(values, bins=2, seed=1).copies == found.copies).all()
    alone = balance(np.array([*np.linspace(0, 0.9, 25), 2.0]), bins=2, seed=0)
    assert alone.after.tolist() == [25, 10]


def test_a_wrong_label_far_out_does_not_stretch_the_bins() -> None:
    values = np.append(np.linspace(-1, 1, 999), 500.0)
    edges = pose_edges(values, bins=5)
    assert edges[0] == -1
    assert edges[-1] < 100
    assert bins_of(np.array([500.0, -7.0, np.nan]), edges).tolist() == [4, 0, -1]


def test_faces_that_all_look_the_same_way() -> None:
    found = balance(np.zeros(4), bins=3, seed=0)
    assert found.copies.tolist() == [1, 1, 1, 1]
    assert found.before.tolist() == [0, 4, 0]


def test_error_by_pose_by_hand() -> None:
    bins = error_by_pose(
        np.array([1.0, 3.0, 5.0, np.nan, 9.0]), np.array([-50.0, -20.0, 80.0, 10.0, np.nan]), np.array([-60, 0, 30, 60])
    )
    assert [(b.low, b.high, b.faces) for b in bins] == [(-60, 0, 2), (0, 30, 0), (30, 60, 1)]
    assert bins[0].error == 2
    assert np.isnan(bins[1].error)
    assert bins[2].error == 5
