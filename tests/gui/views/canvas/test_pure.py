"""Hit-testing, the walk, tone, the camera, suspect points: computations without a window."""

from __future__ import annotations

import numpy as np
import pytest

from fkp_studio.face.geometry import clamped, inside, nearest
from fkp_studio.face.suspects import suspects
from fkp_studio.face.tone import Tone, apply_tone, table
from fkp_studio.views.canvas.drawing.camera import Camera
from fkp_studio.views.canvas.editor import next_missing, progress
from training.faces.labels.labels import PointState
from training.faces.labels.schema import IBUG_68, KAGGLE_15, KeypointSchema, schema_from_names

POINTS = np.array([[10.0, 10.0], [14.0, 10.0], [np.nan, np.nan]])
WINDOW, IMAGE = (640, 480), (96, 96)


@pytest.mark.parametrize(("at", "hit"), [((10, 10), 0), ((11.9, 10), 0), ((12.1, 10), 1), ((10, 16), -1)])
def test_the_nearest_point_in_reach_is_hit(at: tuple[float, float], hit: int) -> None:
    assert nearest(POINTS, at, radius=5) == hit


def test_a_point_that_does_not_count_is_not_hit() -> None:
    assert nearest(POINTS, (10, 10), radius=5, among=np.array([False, True, True])) == 1
    assert nearest(np.zeros((0, 2)), (0, 0), radius=5) == -1


def test_the_image_reaches_half_a_pixel_beyond_its_pixels_centres() -> None:
    assert inside((-0.5, 95.5), width=96, height=96)
    assert not inside((-0.6, 0), width=96, height=96)
    assert clamped((-7, 200), width=96, height=64) == (-0.5, 63.5)


def test_the_walk_goes_round_over_unset_points_only() -> None:
    states = np.array([PointState.UNSET, PointState.VISIBLE, PointState.ABSENT, PointState.UNSET])
    assert [next_missing(states, k) for k in range(4)] == [0, 3, 3, 3]
    states[3] = PointState.OCCLUDED
    assert next_missing(states, 1) == 0
    states[0] = PointState.VISIBLE
    assert next_missing(states) == -1
    assert progress(states) == (4, 4)


def test_a_neutral_tone_gives_the_image_itself() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert apply_tone(Tone(), image) is image
    assert (table(Tone(), image) == np.arange(256)).all()


def test_brightness_lifts_contrast_spreads_and_equalise_uses_all_greys() -> None:
    dark = np.array([[20, 21], [22, 23]], np.uint8)
    assert (apply_tone(Tone(brightness=50), dark) > dark).all()
    assert np.ptp(table(Tone(contrast=50), dark)[100:156].astype(int)) > 2 * 55
    assert apply_tone(Tone(equalise=True), dark).tolist() == [[0, 85], [170, 255]]


def test_zooming_keeps_the_place_under_the_cursor() -> None:
    at = (500.0, 100.0)

    def under(camera: Camera) -> np.ndarray:
        middle, scale = camera.middle(IMAGE), camera.scale(WINDOW, IMAGE)
        return np.array(middle) + (np.array(at) - np.array(WINDOW) / 2) / scale

    before = Camera(zoom=3.0, centre=(0.4, 0.6))
    after = before.zoomed(1.25, at=at, window=WINDOW, image=IMAGE)
    assert after.zoom == pytest.approx(3.75)
    assert under(after) == pytest.approx(under(before))


def test_the_image_cannot_be_lost_beside_the_window() -> None:
    far = Camera().moved(1e6, -1e6, window=WINDOW, image=IMAGE)
    assert far.centre == (0.0, 1.0)


@pytest.mark.parametrize("schema", [KAGGLE_15, IBUG_68])
@pytest.mark.parametrize("angle", [0, 40, -150])
def test_a_swapped_pair_and_a_point_outside_are_suspect(schema: KeypointSchema, angle: float) -> None:
    turn = np.array(
        [
            [np.cos(np.radians(angle)), -np.sin(np.radians(angle))],
            [np.sin(np.radians(angle)), np.cos(np.radians(angle))],
        ]
    )
    points = (np.array(schema.template) - 0.5) * [30, 60] @ turn.T + 48  # half turned away, and rolled
    points += np.random.default_rng(0).normal(0, 0.3, points.shape)
    assert not suspects(points, schema, width=96, height=96).any()
    left, right = next((k, f) for k, f in enumerate(schema.flip) if f != k)
    points[[left, right]] = points[[right, left]]
    points[30 if len(schema) > 30 else 10] = (120.0, 40.0)
    expected = sorted((left, right, 30 if len(schema) > 30 else 10))
    assert np.flatnonzero(suspects(points, schema, width=96, height=96)).tolist() == expected


def test_a_profile_and_a_schema_without_a_face_are_not_judged() -> None:
    profile = (np.array(KAGGLE_15.template) - 0.5) * [3, 60] + 48
    profile[[0, 1]] = profile[[1, 0]]
    assert not suspects(profile, KAGGLE_15, width=96, height=96).any()
    ring = schema_from_names(["left_a", "left_b", "left_c", "right_a", "right_b", "right_c"])
    points = np.random.default_rng(1).uniform(0, 95, (6, 2))
    assert not suspects(points, ring, width=96, height=96).any()


def test_missing_points_are_not_suspect() -> None:
    points = np.full((15, 2), np.nan)
    points[[0, 1]] = (70, 30), (30, 30)
    assert not suspects(points, KAGGLE_15, width=96, height=96).any()
