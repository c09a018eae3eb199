"""Stored predictions, accepting them and undoing that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.assist.filling.accept import accept
from training.errors import UserError
from training.faces.labels.labels import Origin, PointState
from training.faces.labels.run_names import run_number
from training.storage.project.edits.undo import redo, undo
from training.storage.project.edits.unset_accepted import unset_accepted
from training.storage.project.journal import read_steps
from training.storage.project.project import Project
from training.storage.project.tables.predictions import delete_predictions, predicted_ids, prediction_runs, run_columns

ONE, TWO = "0001-ml-resnet", "0002-cnn-6"


def predict(
    project: Project, run: str, *, at: float = 30.0, confidence: float = 0.8, ids: np.ndarray | None = None
) -> None:
    ids = project.ids() if ids is None else ids
    project.write_predictions(run, ids, np.full((len(ids), 15, 2), at), np.full((len(ids), 15), confidence))


def test_predictions_come_back_per_run(project_path: Path) -> None:
    with Project.open(project_path) as project:
        predict(project, ONE, ids=np.array([5, 2]))
        predict(project, TWO, at=10)
        predict(project, ONE, at=31, ids=np.array([5]))
        found = project.predictions(ONE, [2, 3, 5, 2])
        assert found.points[:, 0, 0].tolist()[0] == 30
        assert np.isnan(found.points[1]).all()
        assert np.isnan(found.confidences[1]).all()
        assert found.points[2, 4].tolist() == [31, 31]
        assert found.points.dtype == found.confidences.dtype == np.float32
        assert prediction_runs(project.database) == [ONE, TWO]
        assert predicted_ids(project.database, ONE).tolist() == [2, 5]
        assert len(predicted_ids(project.database, TWO)) == 24
        delete_predictions(project.database, TWO)
        assert prediction_runs(project.database) == [ONE]
        assert not project.predictions(TWO, project.ids()).present.any()
        assert len(project.predictions("0009-never", [])) == 0


def test_errors_count_only_labels_that_somebody_vouches_for(project_path: Path) -> None:
    with Project.open(project_path) as project:
        labels = project.labels([3])
        given = np.where(labels.mask[..., None], labels.points + np.array([3, 4]), 1)
        project.write_predictions(ONE, [3], given, np.full((1, 15), 0.25))
        accept(project, ONE)
        error, confidence = run_columns(project.database, ONE, len(project.schema))
        assert error[2] == pytest.approx(5, abs=1e-4)
        assert confidence[2] == 0.25
        assert np.isnan(np.delete(error, 2)).all()
        assert run_columns(project.database, ONE, len(project.schema), np.array([3, 1]))[0].tolist()[0] == error[2]


def test_accept_only_fills(project_path: Path) -> None:
    with Project.open(project_path) as project:
        predict(project, ONE)
        before = project.labels(project.ids())
        done = accept(project, ONE)
        after = project.labels(project.ids())
        assert (done.points, len(done.ids)) == (88, 8)
        assert after.points[before.mask].tolist() == before.points[before.mask].tolist()
        filled = before.missing
        assert (after.points[filled] == 30).all()
        assert set(after.origins[filled].tolist()) == {Origin.MODEL}
        assert set(after.runs[filled].tolist()) == {1}
        assert accept(project, ONE).step is None
        assert [s.text for s in read_steps(project.database)] == ["accept 88 points in 8 faces of 0001-ml-resnet"]


def test_take_back_touches_only_its_run(project_path: Path) -> None:
    with Project.open(project_path) as project:
        start = project.labels(project.ids())
        predict(project, ONE)
        predict(project, TWO, at=10)
        accept(project, ONE, keypoints=[5, 6])
        accept(project, TWO)
        between = project.labels(project.ids())
        done = unset_accepted(project, TWO)
        after = project.labels(project.ids())
        assert done.points == 8 * 9
        assert (after.runs[after.origins == Origin.MODEL] == 1).all()
        assert not after.missing[:, [5, 6]].any()
        undo(project, done.step or 0)
        assert project.labels(project.ids()).same_as(between)
        unset_accepted(project, TWO)
        unset_accepted(project, ONE)
        assert project.labels(project.ids()).same_as(start)
        assert unset_accepted(project, ONE).step is None


def test_accept_by_confidence_and_ids(project_path: Path) -> None:
    with Project.open(project_path) as project:
        predict(project, ONE, confidence=0.4)
        predict(project, ONE, confidence=0.9, ids=np.array([3]))
        project.write_predictions(ONE, [6], np.full((1, 15, 2), 5), np.full((1, 15), np.nan))
        assert accept(project, ONE, np.array([6, 9]), min_confidence=0.3).ids.tolist() == [9]
        assert accept(project, ONE, np.array([6])).points == 11


def test_absent_is_an_answer(project_path: Path) -> None:
    with Project.open(project_path) as project:
        labels = project.labels([3])
        labels.states[0, 5] = PointState.ABSENT
        project.write_labels([3], labels)
        predict(project, ONE)
        accept(project, ONE)
        assert project.labels([3]).states[0, 5] == PointState.ABSENT


def test_a_large_accept_is_one_step_in_parts(tmp_path: Path) -> None:
    from tests.conftest import KAGGLE_15
    from tests.helpers.project_data import batch

    with Project.create(tmp_path / "a.fkp", KAGGLE_15) as project:
        project.add_samples(batch(20_000, paths=tuple(Path(f"/pictures/{i}.png") for i in range(20_000))))
        start = project.label_hash()
        predict(project, ONE)
        done = accept(project, ONE)
        assert len(done.ids) > 4096
        assert not project.index().missing.any()
        assert len(read_steps(project.database)) == 1
        assert np.array_equal(undo(project, done.step or 0), done.ids)
        assert project.label_hash() == start
        redo(project, done.step or 0)
        assert not project.index().missing.any()


@pytest.mark.parametrize("name", ["", "ml-resnet", "-1-x", "0-x", "99999999999-x"])
def test_only_runs_have_numbers(name: str) -> None:
    assert run_number("0012-cnn-6") == 12
    with pytest.raises(UserError, match="not the name of a run"):
        run_number(name)
