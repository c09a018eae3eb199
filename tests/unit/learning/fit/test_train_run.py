"""A run from start to end: it learns, stops, fails and resumes correctly."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.training_data import make_data, make_run, tiny_config
from training.errors import UserError
from training.learning.fit import saved_state
from training.learning.fit.step import trainer
from training.learning.fit.train_run import train_run
from training.learning.fit.training_loop import fit
from training.learning.inference.checkpoint import load_resume, save_resume
from training.learning.inference.predictor import Predictor
from training.storage.runs.events import CheckpointSaved, EpochDone, Event, RunFailed, RunFinished, RunStarted, Trouble
from training.storage.runs.folder import can_resume, read_events, request_stop
from training.storage.runs.listing import read_run
from training.storage.runs.new_run import create_run
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig


def train(run: Run, *, rows: str = "all", val: int = 16, **options: object) -> list[Event]:
    events: list[Event] = []
    last = train_run(run, data=make_data(val=val, rows=rows)[0], on_event=events.append, **options)  # type: ignore[arg-type]
    assert events[-1] == last
    return events


def new_run(folder: Path, **settings: str) -> Run:
    return make_run(folder, tiny_config(**settings), make_data()[1])


def curve(run: Run) -> list[EpochDone]:
    """The epochs in the run's folder without what depends on the clock."""
    events, _ = read_events(run)
    return [replace(e, seconds=0, images_per_second=0) for e in events if isinstance(e, EpochDone)]


def stop_after(batches: int) -> Callable[[], bool]:
    calls = iter(range(1, 10_000))
    return lambda: next(calls) >= batches


def test_a_run_learns_and_leaves_what_it_promises(tmp_path: Path) -> None:
    run = new_run(tmp_path, epochs="12", learning_rate="3e-3", ema="0.5")
    events = train(run)
    started, finished = events[0], events[-1]
    assert isinstance(started, RunStarted)
    assert isinstance(finished, RunFinished)
    assert (started.train_samples, started.val_samples, started.train_points) == (48, 16, 24 + 3 * 24)
    assert finished.reason == "done"
    assert finished.rmse < 0.7 * started.mean_shape_rmse
    info = read_run(run)
    assert (info.status, info.has_model) == ("done", True)
    assert info.best is not None
    assert info.best.rmse == finished.rmse
    with run.metrics.open() as file:
        assert [int(row["epoch"]) for row in csv.DictReader(file)] == list(range(1, 13))
    assert [type(e) for e in events] == [type(e) for e in read_events(run)[0]]
    with pytest.raises(UserError, match="used its budget"):
        train(run, resume=True)
    with pytest.raises(UserError, match="already started"):
        train(run)


@pytest.mark.parametrize("batches", [1, 6, 8, 12])
def test_stop_and_resume_is_the_uninterrupted_run(tmp_path: Path, batches: int) -> None:
    whole = new_run(tmp_path / "whole")
    train(whole)
    parts = new_run(tmp_path / "parts")
    stopped = train(parts, should_stop=stop_after(batches))[-1]
    assert isinstance(stopped, RunFinished)
    assert stopped.reason == "stopped"
    assert read_run(parts).status == "stopped"
    assert read_run(parts).has_model  # also when stopped in the first epoch
    train(parts, resume=True)
    assert curve(parts) == curve(whole)
    assert parts.metrics.read_text().count("\n") == 5


def test_a_killed_process_resumes_to_the_same_curve(tmp_path: Path, project_path: Path) -> None:
    """The process is killed in the middle of an epoch; its last line is then truncated, as by a power cut."""
    config = tiny_config().changed(input_size=32, batch_size=4, epochs=4)
    first, second = (new_project_run(project_path, config) for _ in range(2))
    assert isinstance(train_run(first), RunFinished)
    assert len(curve(first)) == 4

    slow = start(second)
    until = time.monotonic() + 100
    while len(curve(second)) < 1 and time.monotonic() < until:
        time.sleep(0.005)
    slow.send_signal(signal.SIGKILL)
    slow.wait()
    assert read_run(second).status in ("interrupted", "done")
    if read_run(second).status == "interrupted":
        with second.events.open("ab") as file:
            file.write(b'{"event":"EpochDone","ep')
        assert isinstance(train_run(second, resume=True), RunFinished)
    assert curve(second) == curve(first)


def new_project_run(project_path: Path, config: RunConfig) -> Run:
    from training.storage.project.project import Project

    with Project.open(project_path) as project:
        return create_run(project, config)


def start(run: Run, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "training", "train", str(run), *options])


def test_the_curve_goes_on_where_the_last_save_was(tmp_path: Path) -> None:
    """Saved after every batch; wherever it is cut off, events after the save are dropped."""
    whole = new_run(tmp_path / "whole")
    train(whole)
    for cut in (4, 17):
        parts = new_run(tmp_path / f"parts{cut}")
        with pytest.raises(KeyboardInterrupt):
            interrupted(parts, after=cut)
        with parts.events.open("ab") as file:
            file.write(b'{"event":"Progress","epoch":2,')
        train(parts, resume=True)
        assert curve(parts) == curve(whole)


def interrupted(run: Run, *, after: int) -> None:
    count = iter(range(10_000))

    def on_event(_: Event) -> None:
        if next(count) == after:
            raise KeyboardInterrupt

    train_run(run, data=make_data()[0], on_event=on_event, save_seconds=0)


def test_sigterm_ends_the_child_with_the_best_model_kept(project_path: Path) -> None:
    run = new_project_run(project_path, tiny_config().changed(epochs=100_000, batch_size=4))
    child = start(run)
    until = time.monotonic() + 100
    while not curve(run) and time.monotonic() < until:
        time.sleep(0.05)
    with pytest.raises(UserError, match="another process"):
        train_run(run, resume=True)
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) == 0
    info = read_run(run)
    assert (info.status, info.has_model) == ("stopped", True)


def test_a_stop_file_ends_the_run_after_the_batch(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    request_stop(run)
    events = train(run)
    assert isinstance(events[-1], RunFinished)
    assert (events[-1].reason, events[-1].epochs) == ("stopped", 1)
    assert Predictor.load(run).schema.name == "dot-3"


def test_a_budget_of_minutes_ends_within_the_epoch_and_measures(tmp_path: Path) -> None:
    run = new_run(tmp_path, epochs="none", minutes="0.01", batch_size="1")
    events = train(run)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "done"
    assert any(isinstance(e, EpochDone) for e in events)
    assert events[-1].seconds < 30


def test_a_full_disk_is_told_and_the_run_can_go_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = new_run(tmp_path / "whole")
    train(whole)
    run = new_run(tmp_path)
    saves = iter(range(100))

    def full(path: Path, state: dict[str, object]) -> None:
        if next(saves) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, state)

    real = save_resume
    monkeypatch.setattr(saved_state, "save_resume", full)
    failed = train(run, save_seconds=0)[-1]
    assert isinstance(failed, RunFailed)
    assert failed.message == "The disk is full."
    assert "resume" in failed.hint
    assert read_run(run).status == "failed"
    train(run, resume=True)
    assert curve(run) == curve(whole)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "smaller batch size"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "smaller batch size"),
        (PermissionError(errno.EACCES, "Permission denied", "model.safetensors"), "permissions"),
        (ZeroDivisionError("oops"), "internal error"),
    ],
)
def test_an_error_in_training_is_told_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    run = new_run(tmp_path)
    monkeypatch.setattr(trainer.Trainer, "train_step", fail)
    failed = train(run)[-1]
    assert isinstance(failed, RunFailed)
    assert said in failed.hint
    assert "Traceback" in failed.traceback
    assert read_run(run).message.startswith(failed.message)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    run = new_run(tmp_path, loss="mse", learning_rate="100", optimizer="sgd", ema="0", warmup="0", epochs="20")
    events = train(run)
    assert isinstance(events[-1], RunFailed)
    assert any(isinstance(e, Trouble) and e.kind == "nan" for e in events)
    assert "learning rate" in events[-1].hint


def test_without_val_faces_train_is_measured_and_said_so(tmp_path: Path) -> None:
    events = train(new_run(tmp_path, epochs="1"), val=0)
    assert isinstance(events[0], RunStarted)
    assert events[0].val_samples == 0
    assert [e.kind for e in events if isinstance(e, Trouble)] == ["no-val"]


def test_complete_rows_only(tmp_path: Path) -> None:
    events = train(new_run(tmp_path, epochs="1", rows="complete"), rows="complete")
    assert isinstance(events[0], RunStarted)
    assert (events[0].train_samples, events[0].train_points) == (24, 72)


def test_mixed_precision_trains_too(tmp_path: Path) -> None:
    events = train(new_run(tmp_path, epochs="3", precision="bfloat16"))
    assert isinstance(events[-1], RunFinished)
    assert events[-1].rmse > 0
    auto = train(new_run(tmp_path / "auto", epochs="1", precision="auto"))[0]
    assert isinstance(auto, RunStarted)
    assert auto.precision in ("float32", "bfloat16")


def test_what_was_not_saved_or_is_damaged_cannot_be_resumed(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    events = train(run, should_stop=stop_after(2))
    assert any(isinstance(e, CheckpointSaved) for e in events)
    size = run.resume.stat().st_size
    os.truncate(run.resume, size // 2)
    failed = train(run, resume=True)[-1]
    assert isinstance(failed, RunFailed) and "damaged" in failed.message
    run.resume.unlink()
    with pytest.raises(UserError, match="was removed"):
        train(run, resume=True)


def test_a_state_that_does_not_fit_leaves_the_events_as_they_are(tmp_path: Path) -> None:
    """They would otherwise be cut back to a position that nobody vouches for."""
    run = new_run(tmp_path)
    train(run, should_stop=stop_after(5))
    told = run.events.read_bytes()
    state = load_resume(run.resume)
    save_resume(run.resume, {**state, "epoch": 0, "batch": -1})
    failed = train(run, resume=True)[-1]
    assert isinstance(failed, RunFailed)
    assert read_run(run).status == "failed"
    assert run.events.read_bytes().startswith(told)
    save_resume(run.resume, state)
    assert isinstance(train(run, resume=True)[-1], RunFinished)


def test_lost_events_do_not_keep_a_run_from_going_on(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    train(run, should_stop=stop_after(2))
    run.events.unlink()
    with pytest.raises(UserError, match="already started"):
        train(run)
    train(run, resume=True)
    assert read_run(run).status == "done"


def test_images_that_cannot_be_read_are_told_once(tmp_path: Path) -> None:
    data, snapshot = make_data()
    run = make_run(tmp_path, tiny_config(epochs="1"), snapshot)
    events = list(fit(run, data=replace(data, left_out=("a.png is gone.", "b.png is gone."))))
    told = [e.sentence for e in events if isinstance(e, Trouble)]
    assert told == ["2 images were skipped because they cannot be read; the first: a.png is gone."]


def test_a_run_that_is_killed_before_its_first_save_ends_with_the_undisturbed_weights(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.helpers.killed_trainings", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {place: (told["ended"], told["same"]) for place, told in found.items()} == dict.fromkeys(
        ("locked", "images read", "said that it starts", "saving", "saved"), (signal.SIGKILL, True)
    )
    begun = ("said that it starts", "saving", "saved")
    assert {place: told["status"] for place, told in found.items() if told["status"] != "queued"} == dict.fromkeys(
        begun, "interrupted"
    )
    assert found["saved"]["starts"] == 2  # it goes on; the others begin again, and their events with them
    assert {told["starts"] for place, told in found.items() if place != "saved"} == {1}


def test_a_run_whose_saved_state_was_removed_is_not_trained_over(tmp_path: Path) -> None:
    """Its model and its curve would be lost."""
    run = new_run(tmp_path)
    train(run, should_stop=stop_after(5))
    run.resume.unlink()
    model, told = run.model.read_bytes(), run.events.read_bytes()
    for lost in (None, run.model):
        if lost is not None:
            lost.unlink()
        with pytest.raises(UserError, match="was removed"):
            train(run, resume=True)
    assert not can_resume(run)
    assert run.events.read_bytes() == told
    run.model.write_bytes(model)
    run.events.unlink()
    with pytest.raises(UserError, match="was removed"):
        train(run, resume=True)


def test_a_network_that_finds_no_room_is_refused_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path, model="mlp", input_size="1024", channels="3")
    monkeypatch.setattr(trainer, "free_memory", lambda: 1 << 30)
    monkeypatch.setattr(trainer, "make_model", lambda *_, **__: pytest.fail("it was made"))
    failed = train(run)[-1]
    assert isinstance(failed, RunFailed)
    assert "network mlp with inputs of 1024 px needs" in failed.message
    assert "1.0 GB are free: use a smaller input size" in failed.message
    assert not failed.is_fault
