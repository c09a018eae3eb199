"""Work on very many faces: read in blocks, sampled where a few suffice, and cancelled on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.project_data import batch
from tests.unit.assist.offsets.test_calibrate_to_labels import predicted_run
from tests.unit.assist.offsets.test_label_offsets import make_project
from training.assist.filling.accept import accept
from training.assist.filling.candidates import read_candidates
from training.assist.filling.fill_of_run import make_fill
from training.assist.offsets import calibrate_to_labels, project_check
from training.assist.offsets.calibrate_to_labels import fit_run
from training.assist.offsets.project_check import check_labels
from training.commands.shared import predict_all
from training.faces.labels.labels import Labels
from training.faces.labels.schema import KAGGLE_15
from training.progress import Cancelled, Progress
from training.storage.project.database import Database
from training.storage.project.edits.shift import shift_labels
from training.storage.project.edits.undo import undo
from training.storage.project.journal import read_steps
from training.storage.project.project import Project
from training.storage.project.tables import label_table

BLOCK = 16


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Makes blocks small; records the largest number of samples' labels read at once."""
    read, sizes = label_table.read_labels, [0]

    def spy(database: Database, ids: np.ndarray, keypoints: int) -> Labels:
        sizes.append(len(ids))
        return read(database, ids, keypoints)

    monkeypatch.setattr(label_table, "BLOCK", BLOCK)
    monkeypatch.setattr(label_table, "read_labels", spy)
    return lambda: max(sizes)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    opened = Project.create(tmp_path / "p.fkp", KAGGLE_15)
    opened.add_samples(batch(60))
    return opened


def ending_after(calls: int) -> Progress:
    """Cancels after a number of checks."""
    left = iter(range(calls))
    return Progress(None, lambda: next(left, None) is None)


def test_a_fit_reads_few_labels_at_once(
    project: Project, largest: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = predicted_run(project, off=(1.5, -0.5))
    before = largest()
    every = fit_run(project, run)
    assert every.adjustment.faces > 25 >= BLOCK and before == 60  # that of making the run
    monkeypatch.setattr(calibrate_to_labels, "MOST", 25)
    some = fit_run(project, run)
    assert some.adjustment.faces == 25
    assert some.adjustment.offset == pytest.approx(every.adjustment.offset, abs=1e-4)
    project.database.progress = ending_after(2)
    with pytest.raises(Cancelled):
        fit_run(project, run)


def test_the_check_of_labels_reads_few_at_once(
    tmp_path: Path, largest: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_check, "LOOKED_AT", 80)
    with Project.open(make_project(tmp_path, 1.2)) as project:
        (checked,) = check_labels(project)
        assert largest() == 80
        assert checked.imported == 120 * 5 - 2 and len(checked.ids) == 120
        assert checked.found is not None and checked.found.common == pytest.approx(1.2, abs=0.25)
        project.database.progress = ending_after(20)  # while it reads images
        with pytest.raises(Cancelled):
            check_labels(project)


@pytest.mark.parametrize("work", ["accept", "mend", "count", "undo"])
def test_work_that_is_ended_leaves_nothing(project: Project, largest: Callable[[], int], work: str) -> None:
    run = predicted_run(project, off=(0.0, 0.0))
    acts = {
        "accept": lambda: accept(project, run.name),
        "mend": lambda: shift_labels(project, 1.0),
        "count": lambda: read_candidates(project, run.name),
        "undo": lambda: undo(project, read_steps(project.database)[-1].id),
    }
    if work == "undo":
        assert len(accept(project, run.name).ids) > BLOCK
    before, steps = project.labels(project.ids()), read_steps(project.database)
    project.database.progress = ending_after(1)
    with pytest.raises(Cancelled):
        acts[work]()
    assert project.labels(project.ids()).same_as(before) and read_steps(project.database) == steps
    project.database.progress = Progress()
    acts[work]()
    assert largest() <= 60


def test_commands_tell_how_far_they_are(
    project: Project, largest: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []

    @contextmanager
    def bar(_title: str) -> Iterator[Callable[[float, str], None]]:
        yield lambda share, _words: told.append(share)

    monkeypatch.setattr(predict_all, "progress_bar", bar)
    run = predicted_run(project, off=(0.0, 0.0))
    with predict_all.progress_of(project, "accept"):
        assert accept(project, run.name).points
    assert told == [first / 60 for first in range(0, 60, BLOCK)]
    project.label_hash()  # the bar is gone
    assert len(told) == 4 and largest() <= 60


def test_a_run_copied_from_a_larger_project_can_be_fitted(project: Project, tmp_path: Path) -> None:
    with Project.create(tmp_path / "larger.fkp", KAGGLE_15) as larger:
        larger.add_samples(batch(90))
        run = predicted_run(larger, off=(1.0, 0.0))
    (own := predicted_run(project, off=(1.0, 0.0))).snapshot.write_bytes(run.snapshot.read_bytes())
    assert fit_run(project, own).helps


def test_a_project_of_one_face_or_without_val_has_no_fill_model(tmp_path: Path) -> None:
    for count in (1, 30):
        with Project.create(tmp_path / f"{count}.fkp", KAGGLE_15) as small:
            small.add_samples(batch(count))
            small.set_splits(small.ids(), np.zeros(count, np.uint8))
            assert make_fill(small, predicted_run(small, off=(1.0, 0.0))) is None
