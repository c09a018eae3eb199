"""One real training and one real prediction worker, as the window drives them."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from training.storage.project.tables.predictions import predicted_ids
from training.storage.runs.settings.recipes import recipe_config

NAME = "0001-cnn-6"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_train_stop_resume_and_predict(session: Session, qtbot: QtBot) -> None:
    jobs, said = Jobs(session), []
    for reporter in (jobs, jobs.predictions, jobs.fills):
        reporter.message.connect(said.append)
    config = recipe_config("cnn-6").changed(input_size=32, epochs=400, minutes=None, precision="float32", threads=1)
    jobs.train([config])
    qtbot.waitUntil(lambda: len(jobs.book.history(NAME).epochs) >= 2, timeout=120_000)
    jobs.queue.stop(NAME)
    qtbot.waitUntil(lambda: jobs.book.info(NAME) is not None and jobs.status(NAME) == "stopped", timeout=60_000)
    first = len(jobs.book.history(NAME).epochs)
    jobs.resume(NAME)
    qtbot.waitUntil(lambda: len(jobs.book.history(NAME).epochs) > first, timeout=120_000)
    epochs = [epoch.epoch for epoch in jobs.book.history(NAME).epochs]
    assert epochs == list(range(1, len(epochs) + 1))
    jobs.queue.stop(NAME)
    qtbot.waitUntil(lambda: jobs.status(NAME) == "stopped", timeout=60_000)
    session.set_run(NAME)
    project = session.store.project
    qtbot.waitUntil(lambda: len(predicted_ids(project.database, NAME)) == 24, timeout=120_000)
    assert said == []
    jobs.close()
