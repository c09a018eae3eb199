"""Edits of single points by a person: pure functions from labels to labels."""

from __future__ import annotations

import math

from training.errors import UserError
from training.faces.labels.labels import Labels, Origin, PointState

STATE_TEXTS = {
    PointState.VISIBLE: "mark {} visible",
    PointState.OCCLUDED: "mark {} occluded",
    PointState.ABSENT: "mark {} absent",
    PointState.UNSET: "unset {}",
}


def placed(labels: Labels, keypoint: int, xy: tuple[float, float], *, state: PointState = PointState.VISIBLE) -> Labels:
    """Labels of one sample [1, K] with `keypoint` placed at xy (px) by a person. Raises ValueError."""
    if not all(map(math.isfinite, xy)):
        raise ValueError(f"a point needs finite coordinates, not {xy}")
    if state not in (PointState.VISIBLE, PointState.OCCLUDED):
        raise ValueError(f"a placed point is visible or occluded, not {state.name}")
    result = labels.copy()
    result.points[0, keypoint] = xy
    _by_person(result, keypoint, state)
    return result


def with_state(labels: Labels, keypoint: int, state: PointState, *, title: str) -> Labels:
    """Labels of one sample [1, K] with the state of `keypoint` set by a person; absent and unset drop the point.

    Raises UserError for visible or occluded if there is no point yet. title: the keypoint's name for people.
    """
    if state in (PointState.VISIBLE, PointState.OCCLUDED) and not labels.mask[0, keypoint]:
        raise UserError(f"Click where the {title} is first; then it can be marked {state.name.lower()}.")
    result = labels.copy()
    if state in (PointState.ABSENT, PointState.UNSET):
        result.points[0, keypoint] = math.nan
    _by_person(result, keypoint, state)
    if state == PointState.UNSET:
        result.origins[0, keypoint] = Origin.NONE
    return result


def _by_person(labels: Labels, keypoint: int, state: PointState) -> None:
    labels.states[0, keypoint] = state
    labels.origins[0, keypoint] = Origin.PERSON
    labels.runs[0, keypoint] = 0
    labels.confidences[0, keypoint] = math.nan
