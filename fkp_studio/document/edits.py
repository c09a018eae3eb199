"""Edits of single points by a person: functions from labels to labels, and which small moves form one undo step."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Labels, Origin, PointState

STEP = 1.001  # px, of a move that continues the last one
SECONDS = 1.0
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


@dataclass(frozen=True)
class _Last:
    step: int
    sample_id: int
    keypoint: int
    time: float


class Nudges:
    """Remembers the last placement and decides whether the next one belongs to its step."""

    def __init__(self) -> None:
        self._last: _Last | None = None

    def placed(self, step: int, sample_id: int, keypoint: int) -> None:
        """Note that a point was placed or moved in this step of the journal."""
        self._last = _Last(step, sample_id, keypoint, time.monotonic())

    def forget(self) -> None:
        """Make the next move a new step, because something else happened."""
        self._last = None

    def step_for(self, sample_id: int, keypoint: int, before: Labels, after: Labels) -> int | None:
        """The step that a move belongs to, None for a new one. before, after: labels of one sample [1, K]."""
        last = self._last
        if last is None or (last.sample_id, last.keypoint) != (sample_id, keypoint):
            return None
        moved = float(np.hypot(*(after.points[0, keypoint] - before.points[0, keypoint])))
        return last.step if moved <= STEP and time.monotonic() - last.time < SECONDS else None
