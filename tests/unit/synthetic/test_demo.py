"""The demo project: complete val, Kaggle's missing labels in train, written completely or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.errors import UserError
from training.progress import Cancelled
from training.storage.project.project import Project
from training.synthetic.demo import make_demo_project


def test_the_demo_project_holds_what_was_drawn(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    faces = make_demo_project(tmp_path / "demo.fkp", samples=60, progress=lambda *step: told.append(step))
    with Project.open(tmp_path / "demo.fkp") as project:
        assert len(project) == 60
        assert project.name == "demo"
        labels, index = project.labels(project.ids()), project.index()
        assert labels.same_as(faces.labels)
        assert np.array_equal(project.image(7), faces.images[6])
        judged = index.splits > 0
        assert labels.mask[judged].all()
        assert np.abs(labels.points - faces.points)[judged].max() < 4
        assert (labels.missing[~judged].sum(axis=1) == 11).mean() > 0.5
        groups = np.array(project.groups())
        assert not set(groups[index.splits == 0]) & set(groups[index.splits == 1])
    assert told[-1][0] == 1.0
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    calls = iter(range(100))
    with pytest.raises(Cancelled):
        make_demo_project(tmp_path / "demo.fkp", samples=20, cancelled=lambda: next(calls) > 5)
    assert list(tmp_path.glob("*.fkp")) == []
    assert list(tmp_path.glob(".*.new")) == []


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "demo.fkp").mkdir()
    with pytest.raises(UserError, match="already exists"):
        make_demo_project(tmp_path / "demo.fkp", samples=5)
