"""Synthetic faces: drawn features match the keypoints, and the same arguments give the same faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.faces.labels.schema import KAGGLE_15
from training.synthetic.faces import Model, Person, Scene, make_faces, random_person, random_scene

PLAIN = Scene(blur=0.1, noise=0.0, jpeg=95)
FLIP = list(KAGGLE_15.flip)
NAMES = KAGGLE_15.keypoints


def brightness(image: np.ndarray, point: np.ndarray) -> float:
    x, y = np.rint(point).astype(int)
    return float(image[y, x])


def mirrored(points: np.ndarray) -> np.ndarray:
    return np.column_stack([95 - points[FLIP, 0], points[FLIP, 1]])


@pytest.mark.parametrize("yaw", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("gaze", [-0.8, 0.0, 0.8])
def test_eye_centres_lie_on_the_dark_of_the_iris(yaw: float, gaze: float) -> None:
    face = Model(Person(iris=0.02)).draw(replace(PLAIN, yaw=yaw, gaze=(gaze, 0.0), eye_distance=36))
    for centre in range(2):
        x, y = face.points[centre]
        around = face.image[int(y) - 3 : int(y) + 4, int(x) - 6 : int(x) + 7]
        assert brightness(face.image, face.points[centre]) < around.mean() - 15


def test_brows_and_lips_are_darker_than_the_skin_beside_them() -> None:
    face = Model(Person(lip_tone=0.4)).draw(PLAIN)
    point = dict(zip(NAMES, face.points, strict=True))
    down = np.array([0.0, 7.0])
    brow = point["right_eyebrow_inner_end"] - [2, 1]
    assert brightness(face.image, brow) < brightness(face.image, brow - down) - 15
    lip = point["mouth_center_bottom_lip"] - [0, 2]
    assert brightness(face.image, lip) < brightness(face.image, lip + down) - 10


def test_a_frontal_face_in_frontal_light_is_symmetric() -> None:
    face = Model(Person(hair_kind="bald")).draw(PLAIN)
    assert face.points == pytest.approx(mirrored(face.points), abs=1e-6)
    inner = face.image[20:80, 22:74].astype(int)
    assert np.abs(inner - inner[:, ::-1]).mean() < 6


@pytest.mark.parametrize("index", range(6))
def test_a_mirrored_scene_has_mirrored_keypoints(index: int) -> None:
    model, scene = Model(random_person(4, index)), random_scene(4, index)
    there, back = model.draw(scene).points, model.draw(scene.mirrored()).points
    assert back == pytest.approx(mirrored(there), abs=1e-6)


def test_the_subjects_left_is_at_large_x() -> None:
    points = Model(Person()).draw(PLAIN).points
    assert points[NAMES.index("left_eye_center"), 0] > points[NAMES.index("right_eye_center"), 0] + 25


def test_yaw_moves_the_nose_before_the_eyes_and_hides_the_far_side() -> None:
    model = Model(Person(hair_kind="bald"))
    turned = model.draw(replace(PLAIN, yaw=60.0))
    eyes, nose = turned.points[:2].mean(axis=0), turned.points[NAMES.index("nose_tip")]
    assert nose[0] > eyes[0] + 5
    assert not turned.visible[NAMES.index("left_eyebrow_outer_end")]
    assert model.draw(PLAIN).visible.all()


def test_sunglasses_hide_the_eyes() -> None:
    face = Model(Person(glasses="sun")).draw(PLAIN)
    assert not face.visible[:2].any()
    assert face.visible[NAMES.index("mouth_left_corner")]


def test_images_are_faces_of_the_asked_kind() -> None:
    faces = make_faces(60, seed=2, missing="none")
    assert faces.images.shape == (60, 96, 96)
    assert faces.images.dtype == np.uint8
    assert faces.points.min() >= 1.9
    assert faces.points.max() <= 93.1
    assert (faces.images.std(axis=(1, 2)) > 4).all()
    assert np.array_equal(faces.labels.points, faces.points)
    assert faces.labels.mask.all()


def test_the_same_seed_gives_the_same_faces_and_another_gives_others() -> None:
    one, again, other = make_faces(12, seed=5), make_faces(12, seed=5), make_faces(12, seed=6)
    assert np.array_equal(one.images, again.images)
    assert one.labels.same_as(again.labels)
    assert not np.array_equal(one.images, other.images)
    assert np.array_equal(make_faces(7, seed=5).images, one.images[:7])


def test_a_person_is_in_one_split_only() -> None:
    faces = make_faces(100, seed=1)
    splits: dict[str, set[str]] = {}
    for group, split in zip(faces.groups, faces.splits, strict=True):
        splits.setdefault(group, set()).add(split)
    assert all(len(s) == 1 for s in splits.values())
    assert len(splits) == 20
    assert set(faces.splits) == {"train", "val", "test"}


def test_progress_reaches_one_and_can_end_the_work() -> None:
    told: list[float] = []
    make_faces(4, progress=told.append)
    assert told == [0.25, 0.5, 0.75, 1.0]

    def stop(done: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        make_faces(4, progress=stop)
