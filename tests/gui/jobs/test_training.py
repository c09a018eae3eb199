"""Trainings behind the window: events arrive, the queue keeps its order, every failure is reported in a sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.jobs.run_book import RunBook
from fkp_studio.jobs.training_child import describe_end
from tests.helpers.fakes import training as fake_training
from training.storage.runs.events import EpochDone, RunFinished, RunStarted
from training.storage.runs.folder import is_running, read_events
from training.storage.runs.new_run import create_run
from training.storage.runs.queue import RunQueue
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.recipes import recipe_config

Make = Callable[[str], Jobs]


def fake(mode: str) -> tuple[str, ...]:
    return sys.executable, "-m", "tests.helpers.fakes.training", mode


@pytest.fixture
def make_jobs(session: Session) -> Iterator[Make]:
    """Jobs whose trainings are run by the fake in the given mode."""
    made: list[Jobs] = []

    def make(mode: str) -> Jobs:
        made.append(Jobs(session, train_command=fake(mode)))
        return made[-1]

    yield make
    for jobs in made:
        jobs.stop_all()
        jobs.close()


def config(name: str = "ml-resnet") -> RunConfig:
    return recipe_config(name)


def ended(jobs: Jobs, name: str) -> bool:
    return jobs.book.info(name) is not None and jobs.status(name) in ("done", "stopped", "failed", "interrupted")


def test_a_run_trains_and_its_curves_arrive(make_jobs: Make, qtbot: QtBot) -> None:
    jobs, seen = make_jobs("good"), []
    jobs.book.happened.connect(lambda name, event: seen.append((name, event)))
    jobs.train([config()])
    qtbot.waitUntil(lambda: ended(jobs, "0001-ml-resnet"))
    assert jobs.status("0001-ml-resnet") == "done"
    assert [e.epoch for n, e in seen if isinstance(e, EpochDone)] == list(range(1, fake_training.EPOCHS + 1))
    assert isinstance(seen[-1][1], RunFinished)
    history = jobs.book.history("0001-ml-resnet")
    assert [e.rmse for e in history.epochs] == [fake_training.epoch_done(i).rmse for i in range(1, 7)]
    assert len(history.batches()) == fake_training.EPOCHS * 4
    assert "a line for the log" in (jobs.book.infos()[0].run.log).read_text()


def test_runs_to_compare_train_one_after_another_on_the_same_labels(make_jobs: Make, qtbot: QtBot) -> None:
    jobs, order = make_jobs("good"), []
    jobs.queue.ended.connect(order.append)
    jobs.train([config("cnn-6"), config("ml-cnn"), config("cnn")])
    qtbot.waitUntil(lambda: len(jobs.queue.waiting()) == 2)
    assert jobs.queue.waiting() == ["0002-ml-cnn", "0003-cnn"]
    assert len(jobs.queue.training()) == 1
    qtbot.waitUntil(lambda: len(order) == 3)
    assert order == ["0001-cnn-6", "0002-ml-cnn", "0003-cnn"]
    assert len({info.label_hash for info in jobs.book.infos()}) == 1


def test_stop_keeps_the_model_and_resume_goes_on_with_the_curve(make_jobs: Make, qtbot: QtBot) -> None:
    jobs = make_jobs("slow")
    name = "0001-ml-resnet"
    jobs.train([config()])
    qtbot.waitUntil(lambda: len(jobs.book.history(name).epochs) >= 2)
    jobs.queue.stop(name)
    assert jobs.status(name) == "stopping"
    qtbot.waitUntil(lambda: ended(jobs, name))
    assert jobs.status(name) == "stopped"
    first = len(jobs.book.history(name).epochs)
    assert jobs.book.info(name).has_model
    jobs.resume(name)
    qtbot.waitUntil(lambda: len(jobs.book.history(name).epochs) > first + 1)
    epochs = [e.epoch for e in jobs.book.history(name).epochs]
    assert epochs == list(range(1, len(epochs) + 1))
    assert jobs.book.history(name).end is None


def test_the_curves_stand_until_a_resumed_run_speaks(session: Session, qtbot: QtBot) -> None:
    book = RunBook()
    run = create_run(session.store.project, config())
    book.set_folder(run.path.parent)
    book.follow(run.name)
    book.add(run.name, (fake_training.started(), fake_training.epoch_done(1), fake_training.epoch_done(2)))
    book.follow(run.name)  # as a resume does, before its process has read or written anything
    assert [e.epoch for e in book.history(run.name).epochs] == [1, 2]
    book.add(run.name, (fake_training.started(), fake_training.epoch_done(1)))
    assert [e.epoch for e in book.history(run.name).epochs] == [1]


def test_kill_9_is_told_with_the_epoch_that_is_kept(make_jobs: Make, qtbot: QtBot) -> None:
    jobs = make_jobs("killed")
    name = "0001-ml-resnet"
    jobs.train([config()])
    qtbot.waitUntil(lambda: ended(jobs, name))
    assert jobs.status(name) == "interrupted"
    assert jobs.book.note(name) == (
        "The training process was killed (signal 9), probably out of memory; the model of epoch 2 is kept. Resume?"
    )
    assert len(jobs.book.history(name).epochs) == 2  # the torn line is no event


def test_garbage_between_the_events_is_passed_over(make_jobs: Make, qtbot: QtBot) -> None:
    jobs = make_jobs("garbage")
    jobs.train([config()])
    qtbot.waitUntil(lambda: ended(jobs, "0001-ml-resnet"))
    assert jobs.status("0001-ml-resnet") == "done"
    assert [e.epoch for e in jobs.book.history("0001-ml-resnet").epochs] == [1, 2]


def test_a_full_disk_is_told_with_its_hint(make_jobs: Make, qtbot: QtBot) -> None:
    jobs = make_jobs("failing")
    jobs.train([config()])
    qtbot.waitUntil(lambda: ended(jobs, "0001-ml-resnet") and bool(jobs.book.note("0001-ml-resnet")))
    assert jobs.status("0001-ml-resnet") == "failed"
    assert "disk is full" in jobs.book.note("0001-ml-resnet")
    assert "Free some space" in jobs.book.note("0001-ml-resnet")


def test_a_child_that_dies_without_a_word_shows_its_last_words(make_jobs: Make, qtbot: QtBot) -> None:
    jobs = make_jobs("speechless")
    jobs.train([config()])
    qtbot.waitUntil(lambda: "exit code 3" in jobs.book.note("0001-ml-resnet"))
    qtbot.waitUntil(lambda: jobs.book.info("0001-ml-resnet") is not None and not jobs.queue.training())
    assert jobs.status("0001-ml-resnet") == "failed"
    assert "No module named 'torch'" in jobs.book.note("0001-ml-resnet")


def test_a_python_that_is_not_there_is_told(session: Session, qtbot: QtBot) -> None:
    jobs = Jobs(session, train_command=("/no/such/python",))
    jobs.train([config()])
    qtbot.waitUntil(lambda: "can't be started" in jobs.book.note("0001-ml-resnet"))
    jobs.close()


def test_discard_removes_the_run_and_refuses_while_it_trains(make_jobs: Make, qtbot: QtBot, session: Session) -> None:
    jobs, said = make_jobs("slow"), []
    jobs.message.connect(said.append)
    name = "0001-ml-resnet"
    jobs.train([config()])
    qtbot.waitUntil(lambda: bool(jobs.book.history(name).epochs) and jobs.book.info(name) is not None)
    jobs.discard(name)
    assert "stop it first" in said[-1]
    jobs.queue.stop(name)
    qtbot.waitUntil(lambda: ended(jobs, name))
    jobs.discard(name)
    qtbot.waitUntil(lambda: jobs.book.names() == [])
    assert not (session.store.project.runs_dir / name).exists()


def test_a_run_of_the_command_line_is_followed(make_jobs: Make, qtbot: QtBot, session: Session) -> None:
    run = create_run(session.store.project, config())
    child = subprocess.Popen([*fake("slow"), str(run), "--nice"], stdout=subprocess.DEVNULL)
    try:
        qtbot.waitUntil(lambda: len(read_events(run)[0]) > 8)
        jobs = make_jobs("good")
        qtbot.waitUntil(lambda: len(jobs.book.history(run.name).epochs) >= 3)
        assert jobs.status(run.name) == "running"
        assert not jobs.queue.is_own(run.name)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        qtbot.waitUntil(lambda: ended(jobs, run.name))
        assert "unexpectedly" in jobs.book.note(run.name)
    finally:
        child.kill()
        child.wait()


def test_a_training_outlives_the_window_and_is_found_again(make_jobs: Make, qtbot: QtBot) -> None:
    first = make_jobs("slow")
    name = "0001-ml-resnet"
    first.train([config()])
    qtbot.waitUntil(lambda: len(first.book.history(name).epochs) >= 1)
    run = Run(first.book.folder / name)
    first.close()
    assert is_running(run)
    again = make_jobs("good")
    qtbot.waitUntil(lambda: len(again.book.history(name).epochs) >= 2)
    again.queue.stop(name)
    qtbot.waitUntil(lambda: ended(again, name))
    assert again.status(name) == "stopped"


def test_what_waited_when_the_window_closed_trains_when_it_is_opened_again(
    make_jobs: Make, qtbot: QtBot, session: Session
) -> None:
    run = create_run(session.store.project, config())
    about = json.loads(run.config.read_text())
    run.config.write_text(json.dumps({**about, "created": about["created"] - 3600}))
    jobs = make_jobs("good")
    qtbot.waitUntil(lambda: ended(jobs, run.name))
    assert jobs.status(run.name) == "done"


def test_a_run_that_waited_trains_after_the_running_one_when_the_project_is_opened_again(
    make_jobs: Make, qtbot: QtBot, session: Session
) -> None:
    first = make_jobs("slow")
    first.train([config(), config("cnn")])
    qtbot.waitUntil(lambda: bool(first.book.history("0001-ml-resnet").epochs) and first.queue.waiting() == ["0002-cnn"])
    first.close()
    again = make_jobs("good")
    qtbot.waitUntil(lambda: len(again.book.history("0001-ml-resnet").epochs) >= 2)
    assert again.queue.training() == ["0001-ml-resnet"] and again.queue.waiting() == ["0002-cnn"]
    again.queue.stop("0001-ml-resnet")
    qtbot.waitUntil(lambda: ended(again, "0002-cnn"))
    runs = [Run(again.book.folder / name) for name in ("0001-ml-resnet", "0002-cnn")]
    assert [sum(isinstance(event, RunStarted) for event in read_events(run)[0]) for run in runs] == [1, 1]
    assert runs[0].events.stat().st_mtime < runs[1].events.stat().st_ctime


def test_a_closed_window_starts_nothing_whatever_it_still_reads(make_jobs: Make, qtbot: QtBot) -> None:
    jobs = make_jobs("good")
    qtbot.waitUntil(lambda: jobs.book.infos() is not None)
    jobs.close()
    RunQueue(jobs.book.folder).add([create_run(jobs.session.store.project, config()).name])
    with qtbot.waitSignal(jobs.book.listed):
        jobs.book.refresh()
    jobs.queue.look()
    assert jobs.queue.training() == [] and jobs.queue.waiting() == []
    assert RunQueue(jobs.book.folder).claim() is not None  # nobody has taken it


def test_two_windows_share_one_queue(make_jobs: Make, qtbot: QtBot) -> None:
    first, second = make_jobs("good"), make_jobs("good")
    first.train([config(), config("cnn")])
    second.train([config("ml-cnn"), config("cnn-6")])
    qtbot.waitUntil(lambda: len(first.book.names()) == len(second.book.names()) == 4)
    runs = [info.run for info in first.book.infos()]
    qtbot.waitUntil(lambda: all(ended(jobs, run.name) for run in runs for jobs in (first, second)))
    assert [sum(isinstance(event, RunStarted) for event in read_events(run)[0]) for run in runs] == [1, 1, 1, 1]
    times = [[json.loads(line)["time"] for line in run.events.read_text().splitlines()] for run in runs]
    spans = sorted((min(of_run), max(of_run)) for of_run in times)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(spans))  # one at a time


def test_a_waiting_run_that_was_stopped_does_not_come_back(make_jobs: Make, qtbot: QtBot, session: Session) -> None:
    run = create_run(session.store.project, config())
    first = make_jobs("slow")
    first.train([config("cnn-6")])
    qtbot.waitUntil(lambda: bool(first.book.history("0002-cnn-6").epochs))
    first.queue.add(run)
    first.queue.stop(run.name)
    assert first.queue.waiting() == []
    first.close()
    about = json.loads(run.config.read_text())
    run.config.write_text(json.dumps({**about, "created": about["created"] - 3600}))
    again = make_jobs("good")
    qtbot.waitUntil(lambda: again.book.info(run.name) is not None and "0002-cnn-6" in again.queue.training())
    assert again.queue.waiting() == [] and again.status(run.name) == "waiting"
    again.resume(run.name)  # until the user asks for it
    assert again.queue.waiting() == [run.name]


def test_stop_all_leaves_nothing_that_starts_again(make_jobs: Make, qtbot: QtBot) -> None:
    jobs = make_jobs("slow")
    jobs.train([config(), config("cnn")])
    qtbot.waitUntil(lambda: bool(jobs.book.history("0001-ml-resnet").epochs))
    qtbot.waitUntil(lambda: len(jobs.book.names()) == 2)
    jobs.stop_all()
    qtbot.waitUntil(lambda: ended(jobs, "0001-ml-resnet"))
    qtbot.waitUntil(lambda: jobs.book.names() == ["0001-ml-resnet"])
    assert jobs.queue.training() == []


@pytest.mark.parametrize(
    ("code", "epoch", "words"),
    [
        (-9, 12, "killed (signal 9), probably out of memory; the model of epoch 12 is kept. Resume?"),
        (-11, 0, "crashed (signal 11, SIGSEGV); no model was saved yet"),
        (1, 3, "exit code 1; the model of epoch 3 is kept"),
        (None, 3, "unexpectedly"),
    ],
)
def test_the_words_for_an_end(code: int | None, epoch: int, words: str) -> None:
    assert words in describe_end(code, kept_epoch=epoch)
