"""What a thumbnail shows of labels and predictions."""

from __future__ import annotations

import numpy as np

from fkp_studio.face.thumbnail import draw_thumbnail
from training.faces.labels.labels import Labels, Origin, PointState

ORANGE, BLUE = (0, 159, 230), (233, 180, 86)  # BGR
NOTHING = np.full((1, 2), np.nan)


def one_point(x: float, y: float) -> Labels:
    return Labels.from_points(np.array([[[x, y]]]))


def at(image: np.ndarray, x: int, y: int) -> tuple[int, ...]:
    return tuple(int(v) for v in image[y, x, :3])


def test_a_label_lies_on_its_pixel_also_when_the_image_is_scaled() -> None:
    pixels = np.zeros((50, 100), np.uint8)
    assert at(draw_thumbnail(pixels, one_point(40, 20), NOTHING, side=100), 40, 20) == ORANGE
    halved = draw_thumbnail(pixels, one_point(40.5, 20.5), NOTHING, side=50)  # (x + 0.5) / 2 - 0.5
    assert halved.shape == (25, 50, 4)
    assert at(halved, 20, 10) == ORANGE
    doubled = draw_thumbnail(pixels, one_point(40, 20), NOTHING, side=200)
    assert at(doubled, 80, 40) == at(doubled, 81, 41) == ORANGE


def test_kinds_of_points_can_be_told_apart() -> None:
    pixels = np.zeros((96, 96, 3), np.uint8)
    hollow = one_point(48, 48)
    hollow.states[:] = PointState.OCCLUDED
    accepted = one_point(48, 48)
    accepted.origins[:] = Origin.MODEL
    predicted = draw_thumbnail(pixels, Labels.empty(1, 1), np.array([[48.0, 48.0]]), side=96)
    assert at(predicted, 48, 48) == (0, 0, 0)
    assert predicted[48, :, 0].max() > 100
    assert at(draw_thumbnail(pixels, hollow, NOTHING, side=96), 48, 48) == (0, 0, 0)
    assert at(draw_thumbnail(pixels, accepted, NOTHING, side=96), 48, 48) == BLUE


def test_points_outside_and_empty_labels_do_no_harm() -> None:
    pixels = np.full((30, 20), 90, np.uint8)
    for labels in (one_point(-500, 10), one_point(20.2, 29.9), Labels.empty(1, 1)):
        image = draw_thumbnail(pixels, labels, NOTHING, side=60)
        assert image.shape == (60, 40, 4)
