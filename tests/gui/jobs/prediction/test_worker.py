"""Predictions: the current face comes first, the rest follows, and a worker that dies is restarted."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from training.assist.offsets.calibrate_to_labels import Fit, undo_fit, use_fit
from training.storage.project.tables.predictions import predicted_ids
from training.storage.runs.model.adjustment import Adjustment
from training.storage.runs.model.prediction_stamp import model_stamp, stored_stamp
from training.storage.runs.new_run import create_run
from training.storage.runs.run import Run
from training.storage.runs.settings.recipes import recipe_config

Make = Callable[[str], Jobs]


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """Where the fake worker logs its requests."""
    path = tmp_path / "asked.jsonl"
    path.touch()
    return path


@pytest.fixture
def run(session: Session) -> str:
    """A finished run with a model file."""
    made = create_run(session.store.project, recipe_config("ml-resnet"))
    made.model.write_bytes(b"model")
    return made.name


@pytest.fixture
def make_jobs(session: Session, memory: Path, run: str, qtbot: QtBot) -> Iterator[Make]:
    made: list[Jobs] = []

    def make(mode: str) -> Jobs:
        made.append(Jobs(session, serve_command=(sys.executable, "-m", "tests.helpers.fakes.serve", mode, str(memory))))
        qtbot.waitUntil(lambda: made[-1].book.info(run) is not None)
        return made[-1]

    yield make
    for jobs in made:
        jobs.close()


def predicted(session: Session, run: str) -> list[int]:
    return predicted_ids(session.store.project.database, run).tolist()


def asked(memory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in memory.read_text().splitlines()]


def test_choosing_a_run_predicts_the_face_first_and_then_all(
    make_jobs: Make, session: Session, run: str, memory: Path, qtbot: QtBot
) -> None:
    jobs, progress = make_jobs("good"), []
    jobs.predictions.progress.connect(lambda done, total: progress.append((done, total)))
    session.set_sample(5)
    session.set_run(run)
    qtbot.waitUntil(lambda: len(predicted(session, run)) == 24)
    assert asked(memory)[0]["ids"] == [5]
    assert len(asked(memory)[1]["ids"]) >= 23
    assert session.store.predictions(run, [7]).points[0, 0].tolist() == [7.0, 1.0]
    qtbot.waitUntil(lambda: bool(progress) and progress[-1][0] == progress[-1][1])
    assert progress == sorted(progress)


def test_what_is_there_is_not_asked_again_until_the_model_is_newer(
    make_jobs: Make, session: Session, run: str, memory: Path, qtbot: QtBot
) -> None:
    jobs = make_jobs("good")
    session.set_run(run)
    qtbot.waitUntil(lambda: len(predicted(session, run)) == 24)
    before = len(asked(memory))
    session.set_run("")
    with qtbot.waitSignal(jobs.predictions.progress, check_params_cb=lambda done, total: done == total):
        session.set_run(run)
    assert len(asked(memory)) == before
    Run(session.store.project.runs_dir / run).model.write_bytes(b"a better model")
    session.set_run("")
    session.set_run(run)
    qtbot.waitUntil(lambda: len([r for r in asked(memory)[before:] if len(r["ids"]) >= 23]) == 1)


def test_predictions_are_made_anew_with_a_fit_and_when_it_is_taken_away(
    make_jobs: Make, session: Session, run: str, memory: Path, qtbot: QtBot
) -> None:
    """After removing the fit the model is the former one, but the stored predictions are not."""
    jobs, made = make_jobs("good"), Run(session.store.project.runs_dir / run)
    fit = Fit(Adjustment(np.ones((15, 2)), 24, 2.0, 1.0), np.ones(15), np.ones(15), 4)
    changes: tuple[Callable[[], object], ...] = (lambda: None, lambda: use_fit(made, fit), lambda: undo_fit(made))
    for count, change in enumerate(changes, start=1):
        change()
        with qtbot.waitSignal(jobs.predictions.progress, check_params_cb=lambda done, total: done == total == 24):
            jobs.predictions.predict(run)
        qtbot.waitUntil(lambda: stored_stamp(made) == model_stamp(made))
        assert sum(len(request["ids"]) for request in asked(memory)) == 24 * count


def test_a_worker_that_dies_is_started_again_and_nothing_is_missing(
    make_jobs: Make, session: Session, run: str, qtbot: QtBot
) -> None:
    said: list[str] = []
    jobs = make_jobs("dying-once")
    jobs.predictions.message.connect(said.append)
    jobs.predictions.predict(run)
    qtbot.waitUntil(lambda: len(predicted(session, run)) == 24)
    assert said == []


@pytest.mark.parametrize(("mode", "words"), [("dying", "Segmentation fault"), ("refusing", "made for 68 points")])
def test_what_goes_wrong_is_told_once(make_jobs: Make, run: str, qtbot: QtBot, mode: str, words: str) -> None:
    jobs, said = make_jobs(mode), []
    jobs.predictions.message.connect(said.append)
    jobs.predictions.predict(run)
    qtbot.waitUntil(lambda: bool(said))
    assert words in said[0]
    assert said[0].startswith(run)


def test_a_refused_model_is_told_once_and_not_asked_again_until_it_is_another(
    make_jobs: Make, session: Session, run: str, qtbot: QtBot, memory: Path
) -> None:
    jobs, said = make_jobs("model-refused"), []
    jobs.predictions.message.connect(said.append)
    session.set_run(run)
    qtbot.waitUntil(lambda: bool(said))
    jobs.predictions.draw_sheet([1], recipe_config("ml-resnet"), seed=1)  # answered after all that was asked before
    with qtbot.waitSignal(jobs.predictions.sheet_drawn):
        pass
    for face in range(2, 12):
        session.set_sample(face)
    jobs.predictions.draw_sheet([1], recipe_config("ml-resnet"), seed=1)
    with qtbot.waitSignal(jobs.predictions.sheet_drawn):
        pass
    assert said == [f"{run}: The weights hold values that are no numbers; train again."]
    assert len([request for request in asked(memory) if request["cmd"] == "predict"]) <= 2  # a face, and all
    jobs.predictions.predict(run)  # asked for by name: told again
    qtbot.waitUntil(lambda: len(said) == 2)
    before = len(asked(memory))
    jobs.book.info(run).run.model.write_bytes(b"a better model")
    session.set_sample(20)
    qtbot.waitUntil(lambda: len(asked(memory)) > before)


def test_a_worker_that_cannot_be_started_is_told(session: Session, run: str, qtbot: QtBot) -> None:
    jobs, said = Jobs(session, serve_command=("/no/such/python",)), []
    jobs.predictions.message.connect(said.append)
    qtbot.waitUntil(lambda: jobs.book.info(run) is not None)
    jobs.predictions.predict(run)
    qtbot.waitUntil(lambda: bool(said))
    jobs.close()


def test_a_run_without_a_model_says_so(make_jobs: Make, session: Session, run: str, qtbot: QtBot) -> None:
    jobs, said = make_jobs("good"), []
    jobs.predictions.message.connect(said.append)
    Run(session.store.project.runs_dir / run).model.unlink()
    jobs.predictions.predict(run)
    assert "no model yet" in said[0]


def test_given_faces_are_predicted_whether_they_have_predictions_or_not(
    make_jobs: Make, session: Session, run: str, memory: Path, qtbot: QtBot
) -> None:
    jobs = make_jobs("good")
    for count in (1, 2):
        jobs.predictions.predict(run, np.array([3, 4], np.int64))
        qtbot.waitUntil(lambda count=count: [r["ids"] for r in asked(memory)] == [[3, 4]] * count)
        qtbot.waitUntil(lambda: predicted(session, run) == [3, 4])
