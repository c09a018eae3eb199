"""Keypoint schemas: the known ones are consistent, and others are made from names alone."""

from __future__ import annotations

import numpy as np
import pytest

from training.errors import UserError
from training.faces.labels.schema import KAGGLE_15, SCHEMAS, KeypointSchema, flip_pairs, schema_from_names


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_known_schema_is_whole(schema: KeypointSchema) -> None:
    assert len(schema.template) == len(schema) == len(schema.columns) // 2
    assert all(0 <= a < len(schema) and 0 <= b < len(schema) and a != b for a, b in schema.edges)
    assert KeypointSchema.from_json(schema.to_json()) == schema


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_the_template_is_a_face_seen_from_the_front(schema: KeypointSchema) -> None:
    """Symmetrical about the middle, with the subject's left eye at large x."""
    points = np.array(schema.template)
    mirrored = points[list(schema.flip)] * [-1, 1] + [1, 0]
    assert np.abs(points - mirrored).max() < 0.02
    left, right = (points[list(group)].mean(axis=0) for group in schema.interocular)
    assert left[0] > right[0]


def test_left_and_right_are_swapped_by_name_in_the_known_schema() -> None:
    for i, partner in enumerate(KAGGLE_15.flip):
        name, other = KAGGLE_15.keypoints[i], KAGGLE_15.keypoints[partner]
        assert other == name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (("Left_Eye", "nose", "Right_Eye"), (2, 1, 0)),
        (("eye_l", "eye_r", "chin"), (1, 0, 2)),
        (("mouth-left-1", "mouth-left-2", "mouth-right-1", "mouth-right-2"), (2, 3, 0, 1)),
        (("left_eye", "chin"), (0, 1)),  # no partner: its own
        (("a", "b"), (0, 1)),
    ],
)
def test_pairs_are_found_by_name(names: tuple[str, ...], pairs: tuple[int, ...]) -> None:
    assert flip_pairs(names) == pairs


def test_known_names_give_the_known_schema() -> None:
    assert schema_from_names(KAGGLE_15.keypoints) is KAGGLE_15


def test_a_schema_of_own_names_has_pairs_normaliser_and_a_template_from_the_mean_points() -> None:
    mean = np.array([[60.0, 30.0], [20.0, 30.0], [40.0, 70.0]])
    schema = schema_from_names(("left_pupil_eye", "right_pupil_eye", "nose"), mean=mean)
    assert schema.flip == (1, 0, 2)
    assert schema.interocular == ((0,), (1,))
    template = np.array(schema.template)
    assert ((template >= 0) & (template <= 1)).all()
    assert template[0, 0] > template[1, 0]
    assert template[2, 1] > template[0, 1]


@pytest.mark.parametrize(
    ("names", "flip"), [((), ()), (("a", "a"), (0, 1)), (("a", "b"), (1, 1)), (("a", "b"), (0, 2)), (("a", "b"), (0,))]
)
def test_a_schema_that_is_not_whole_is_refused(names: tuple[str, ...], flip: tuple[int, ...]) -> None:
    with pytest.raises(UserError):
        KeypointSchema("mine", names, flip)


@pytest.mark.parametrize("values", [{}, {"name": "x", "keypoints": 3}, {**KAGGLE_15.to_json(), "flip": ["no"]}])
def test_values_that_are_no_schema_are_refused(values: dict) -> None:
    with pytest.raises(UserError):
        KeypointSchema.from_json(values)
