"""Run folders: made completely, numbered, and their states distinguished."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.training_data import make_data, make_run, tiny_config
from training.errors import UserError
from training.processes.locks import Lock
from training.storage.runs.events import EpochDone, Event, Progress, RunFailed, RunFinished, RunStarted, to_line
from training.storage.runs.folder import discard_run, load_config, read_events
from training.storage.runs.inputs.snapshot import load_snapshot
from training.storage.runs.listing import damaged_runs, list_runs, read_run
from training.storage.runs.new_run import NUMBERS, write_run
from training.storage.runs.run import Run

STARTED = RunStarted("cnn-6", 10, 4, 9, 2, "cpu", "float32", 1, 4, None, 0, 7.0)
PROGRESS = Progress(1, 1, 4, 2.0, 50.0, 0.1, 9.0)
EPOCH = EpochDone(1, 2.0, 3.0, 4.0, 0.1, "interocular", (0.0, 1.0), 0.5, 0.1, (4.0,), 1e-3, 50.0, 2.0, True)


def write(run: Run, *events: Event, end: str = "") -> None:
    text = "".join(to_line(e, time=1.0) + "\n" for e in events) + end
    run.events.write_text(text)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path, tiny_config(), make_data()[1])


def test_a_new_run_holds_its_labels_and_settings(run: Run) -> None:
    _, snapshot = make_data()
    loaded = load_snapshot(run)
    assert np.array_equal(loaded.points, snapshot.points, equal_nan=True)
    assert np.array_equal(loaded.splits, snapshot.splits)
    assert loaded.schema == snapshot.schema
    assert load_config(run) == tiny_config()
    info = read_run(run)
    assert (info.name, info.number, info.status, info.label_hash) == ("0001-cnn-6", 1, "queued", "hash")
    assert not info.has_model


def test_runs_are_numbered_on_and_listed_by_number(run: Run, tmp_path: Path) -> None:
    second = make_run(tmp_path, tiny_config(), make_data()[1])
    assert second.name == "0002-cnn-6"
    discard_run(run)
    assert make_run(tmp_path, tiny_config(), make_data()[1]).name == "0003-cnn-6"
    discard_run(Run(run.path.parent / "0003-cnn-6"))  # points accepted from it still say run 3
    assert make_run(tmp_path, tiny_config(), make_data()[1]).name == "0004-cnn-6"
    (run.path.parent / "0009-broken").mkdir()
    assert [r.number for r in list_runs(run.path.parent)] == [2, 4]
    assert list_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize("recipe", ["../../../out", "/out", "a\\b", "..", "", "x" * 500, "con", "a\0b"])
def test_a_run_stays_in_its_folder_whatever_its_recipe_is_called(run: Run, tmp_path: Path, recipe: str) -> None:
    for number in range(2, 9):  # a stranger's project can hold the folders that such a name needs
        (run.path.parent / f"{number:04d}-").mkdir()
        (run.path.parent / f"{number:04d}-..").mkdir()
    config = tiny_config().changed(recipe=recipe)
    made = write_run(run.path.parent, config, load_snapshot(run))
    assert made.path.resolve().parent == run.path.parent.resolve()
    assert made.config.is_file()
    assert not (tmp_path / "out").exists() and not Path("/out").exists()


def test_discarding_leaves_nothing_not_even_what_was_left_by_one_that_was_killed(run: Run) -> None:
    (run.path.parent / ".gone-0000").mkdir()
    (run.path.parent / ".gone-0000" / "resume.pt").touch()
    discard_run(run)
    assert [path.name for path in run.path.parent.iterdir()] == [NUMBERS]
    with pytest.raises(UserError, match="cannot be removed: No such file"):
        discard_run(run)


@pytest.mark.parametrize(
    ("last", "status"),
    [
        ((), "interrupted"),
        ((RunFinished("done", 1, 1, 4.0, 0.1, 2.0),), "done"),
        ((RunFinished("stopped", 1, 1, 4.0, 0.1, 2.0),), "stopped"),
        ((RunFailed("It broke.", "Fix it."),), "failed"),
        ((RunFinished("stopped", 1, 1, 4.0, 0.1, 2.0), replace(STARTED, epoch=1)), "interrupted"),
    ],
)
def test_status_follows_from_the_events(run: Run, last: tuple[Event, ...], status: str) -> None:
    write(run, STARTED, PROGRESS, EPOCH, *last)
    info = read_run(run)
    assert info.status == status
    assert info.best == info.last == EPOCH
    assert info.message == ("It broke. Fix it." if status == "failed" else "")


def test_a_held_lock_is_a_running_training(run: Run) -> None:
    write(run, STARTED)
    with Lock(run.lock):
        assert read_run(run).status == "running"
        with pytest.raises(UserError, match="still training"):
            discard_run(run)
    assert read_run(run).status == "interrupted"


def test_events_are_followed_and_a_torn_line_is_left_for_later(run: Run) -> None:
    write(run, STARTED, end=to_line(EPOCH, time=1.0)[:40])
    first, offset = read_events(run)
    assert first == [STARTED]
    write(run, STARTED, EPOCH)
    rest, end = read_events(run, after=offset)
    assert rest == [EPOCH]
    assert read_events(run, after=end) == ([], end)
    write(run, STARTED)  # cut by a resume
    assert read_events(run, after=end)[0] == [STARTED]


def test_lines_that_are_no_events_are_passed_over(run: Run) -> None:
    write(run, STARTED, end='\x00\x00\n{"event":"New"}\n[1]\n')
    assert read_events(run)[0] == [STARTED]


def test_nothing_to_train_on_is_told_and_leaves_no_folder(tmp_path: Path) -> None:
    _, snapshot = make_data()
    with pytest.raises(UserError, match="nothing to train on"):
        make_run(tmp_path, tiny_config(), replace(snapshot, points=np.full_like(snapshot.points, np.nan)))
    assert not (tmp_path / "p.fkp").exists() or not list((tmp_path / "p.fkp" / "runs").iterdir())


def test_a_damaged_run_is_told(run: Run) -> None:
    run.snapshot.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(UserError, match="labels of the run 0001-cnn-6"):
        load_snapshot(run)
    run.config.write_text('{"config": {"batch_size": 0}, "schema": {}, "label_hash": "", "created": 0}')
    with pytest.raises(UserError, match="batch_size"):
        load_config(run)
    run.config.write_text("{")
    with pytest.raises(UserError, match=r"config\.json is damaged"):
        read_run(run)


@pytest.mark.parametrize("compress", [False, True])
def test_labels_that_promise_more_than_their_file_holds_take_no_memory(run: Run, compress: bool) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 15, 2)})
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(run.snapshot, "w", kind) as archive:
        for name in ("ids", "points", "states", "splits", "sizes"):
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(1 << 20))
    with pytest.raises(UserError, match="labels of the run 0001-cnn-6"):
        load_snapshot(run)


def test_a_run_whose_events_are_lost_has_begun_all_the_same(run: Run) -> None:
    run.events.write_bytes(b"")
    assert read_run(run).status == "queued"
    run.events.write_bytes(b"\x80\x02 no event\n")
    assert read_run(run).status == "interrupted"
    run.events.unlink()
    run.resume.touch()
    assert read_run(run).status == "interrupted"


def test_a_damaged_run_is_named(run: Run) -> None:
    runs_dir = run.path.parent
    assert damaged_runs(runs_dir) == damaged_runs(runs_dir / "nowhere") == {}
    run.config.write_text('{"config": ')
    assert damaged_runs(runs_dir) == {
        run.name: f"The run {run} cannot be read: its config.json is damaged. Train again."
    }
