"""ProjectStore: every edit is on disk, undone and redone, also after a restart, and everybody is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from fkp_studio.project.store import Changes, ProjectStore
from fkp_studio.session import Session
from tests.conftest import make_project
from training.data.keypoint_data import Labels, Origin, PointState
from training.errors import UserError
from training.project.project import Project

RUN = "0001-ml-resnet"
POOR = 3  # a face that lacks 11 points


@pytest.fixture
def store(session: Session) -> ProjectStore:
    assert session.store is not None
    return session.store


def on_disk(store: ProjectStore) -> Labels:
    with Project.open(store.path, read_only=True) as project:
        return project.labels(project.ids())


def predict(store: ProjectStore, qtbot: QtBot, *, confidence: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Predictions for every face: points one pixel right of the labels, and some place where there is none."""
    points = np.nan_to_num(store.labels(store.ids()).points + [1, 0], nan=40.0).astype(np.float32)
    confidences = np.full(points.shape[:2], confidence, np.float32)
    confidences[:, 5] = 0.1
    with qtbot.waitSignal(store.changed):
        store.put_predictions(RUN, store.ids(), points, confidences)
    return points, confidences


EDITS: dict[str, Callable[[ProjectStore], object]] = {
    "place": lambda s: s.place(POOR, 5, (10.5, 20.25)),
    "place occluded": lambda s: s.place(POOR, 5, (10.5, 20.25), state=PointState.OCCLUDED),
    "move": lambda s: s.place(1, 0, (1.0, 2.0)),
    "occluded": lambda s: s.set_state(1, 0, PointState.OCCLUDED),
    "absent": lambda s: s.set_state(1, 0, PointState.ABSENT),
    "unset": lambda s: s.set_state(1, 0, PointState.UNSET),
    "accept one": lambda s: s.accept(RUN, [POOR], keypoints=[5]),
    "accept face": lambda s: s.accept(RUN, [POOR]),
    "accept all": lambda s: s.accept(RUN, None, min_confidence=0.5),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_redo_undo_redo(store: ProjectStore, qtbot: QtBot, edit: Callable[[ProjectStore], object]) -> None:
    predict(store, qtbot)
    before = on_disk(store)
    edit(store)
    after = on_disk(store)
    assert not after.same_as(before)
    store.undo_stack.undo()
    assert on_disk(store).same_as(before)
    store.undo_stack.redo()
    assert on_disk(store).same_as(after)
    assert np.array_equal(store.index().missing, after.missing.sum(axis=1))
    assert np.array_equal(store.index().to_review, (after.origins == Origin.MODEL).sum(axis=1))
