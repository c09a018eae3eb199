"""Run folders: made completely, numbered, and their states distinguished."""

from __future__ import annotations

import fcntl
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.training_data import make_data, make_run, tiny_config
from training.errors import UserError
from training.storage.runs import folder as runs
from training.storage.runs.events import EpochDone, Event, Progress, RunFailed, RunFinished, RunStarted, to_line

STARTED = RunStarted("cnn-6", 10, 4, 9, 2, "cpu", "float32", 1, 4, None, 0, 7.0)
PROGRESS = Progress(1, 1, 4, 2.0, 50.0, 0.1, 9.0)
EPOCH = EpochDone(1, 2.0, 3.0, 4.0, 0.1, "interocular", (0.0, 1.0), 0.5, 0.1, (4.0,), 1e-3, 50.0, 2.0, True)


def write(run_dir: Path, *events: Event, end: str = "") -> None:
    text = "".join(to_line(e, time=1.0) + "\n" for e in events) + end
    (run_dir / runs.EVENTS).write_text(text)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return make_run(tmp_path, tiny_config(), make_data()[1])


def test_a_new_run_holds_its_labels_and_settings(run_dir: Path) -> None:
    _, snapshot = make_data()
    loaded = runs.load_snapshot(run_dir)
    assert np.array_equal(loaded.points, snapshot.points, equal_nan=True)
    assert np.array_equal(loaded.splits, snapshot.splits)
    assert loaded.schema == snapshot.schema
    assert runs.load_config(run_dir) == tiny_config()
    info = runs.read_run(run_dir)
    assert (info.name, info.number, info.status, info.label_hash) == ("0001-cnn-6", 1, "queued", "hash")
    assert not info.has_model


def test_runs_are_numbered_on_and_listed_by_number(run_dir: Path, tmp_path: Path) -> None:
    second = make_run(tmp_path, tiny_config(), make_data()[1])
    assert second.name == "0002-cnn-6"
    runs.discard_run(run_dir)
    assert make_run(tmp_path, tiny_config(), make_data()[1]).name == "0003-cnn-6"
    runs.discard_run(run_dir.parent / "0003-cnn-6")  # points accepted from it still say run 3
    assert make_run(tmp_path, tiny_config(), make_data()[1]).name == "0004-cnn-6"
    (run_dir.parent / "0009-broken").mkdir()
    assert [r.number for r in runs.list_runs(run_dir.parent)] == [2, 4]
    assert runs.list_runs(tmp_path / "nowhere") == []


def test_discarding_leaves_nothing_not_even_what_was_left_by_one_that_was_killed(run_dir: Path) -> None:
    (run_dir.parent / ".gone-0000").mkdir()
    (run_dir.parent / ".gone-0000" / runs.RESUME).touch()
    runs.discard_run(run_dir)
    assert [path.name for path in run_dir.parent.iterdir()] == [runs.NUMBERS]
    with pytest.raises(UserError, match="cannot be removed: No such file"):
        runs.discard_run(run_dir)


@pytest.mark.parametrize(
    ("last", "status"),
    [
        ((), "interrupted"),
        ((RunFinished("done", 1, 1, 4.0, 0.1, 2.0),), "done"),
        ((RunFinished("stopped", 1, 1, 4.0, 0.1, 2.0),), "stopped"),
        ((RunFailed("It broke.", "Mend it."),), "failed"),
        ((RunFinished("stopped", 1, 1, 4.0, 0.1, 2.0), replace(STARTED, epoch=1)), "interrupted"),
    ],
)
def test_status_follows_from_the_events(run_dir: Path, last: tuple[Event, ...], status: str) -> None:
    write(run_dir, STARTED, PROGRESS, EPOCH, *last)
    info = runs.read_run(run_dir)
    assert info.status == status
    assert info.best == info.last == EPOCH
    assert info.message == ("It broke. Mend it." if status == "failed" else "")


def test_a_held_lock_is_a_running_training(run_dir: Path) -> None:
    write(run_dir, STARTED)
    with (run_dir / runs.LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert runs.read_run(run_dir).status == "running"
        with pytest.raises(UserError, match="still training"):
            runs.discard_run(run_dir)
    assert runs.read_run(run_dir).status == "interrupted"


def test_events_are_followed_and_a_torn_line_is_left_for_later(run_dir: Path) -> None:
    write(run_dir, STARTED, end=to_line(EPOCH, time=1.0)[:40])
    first, offset = runs.read_events(run_dir)
    assert first == [STARTED]
    write(run_dir, STARTED, EPOCH)
    rest, end = runs.read_events(run_dir, after=offset)
    assert rest == [EPOCH]
    assert runs.read_events(run_dir, after=end) == ([], end)
    write(run_dir, STARTED)  # cut by a resume
    assert runs.read_events(run_dir, after=end)[0] == [STARTED]


def test_lines_that_are_no_events_are_passed_over(run_dir: Path) -> None:
    write(run_dir, STARTED, end='\x00\x00\n{"event":"New"}\n[1]\n')
    assert runs.read_events(run_dir)[0] == [STARTED]


def test_nothing_to_train_on_is_told_and_leaves_no_folder(tmp_path: Path) -> None:
    _, snapshot = make_data()
    with pytest.raises(UserError, match="nothing to train on"):
        make_run(tmp_path, tiny_config(), replace(snapshot, points=np.full_like(snapshot.points, np.nan)))
    assert not (tmp_path / "p.fkp").exists() or not list((tmp_path / "p.fkp" / "runs").iterdir())


def test_a_damaged_run_is_told(run_dir: Path) -> None:
    (run_dir / runs.LABELS).write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(UserError, match="labels of the run 0001-cnn-6"):
        runs.load_snapshot(run_dir)
    (run_dir / runs.CONFIG).write_text('{"config": {"batch_size": 0}, "schema": {}, "label_hash": "", "created": 0}')
    with pytest.raises(UserError, match="batch_size"):
        runs.load_config(run_dir)
    (run_dir / runs.CONFIG).write_text("{")
    with pytest.raises(UserError, match=r"config\.json is damaged"):
        runs.read_run(run_dir)


@pytest.mark.parametrize("compress", [False, True])
def test_labels_that_promise_more_than_their_file_holds_take_no_memory(run_dir: Path, compress: bool) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 15, 2)})
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(run_dir / runs.LABELS, "w", kind) as archive:
        for name in ("ids", "points", "states", "splits", "sizes"):
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(1 << 20))
    with pytest.raises(UserError, match="labels of the run 0001-cnn-6"):
        runs.load_snapshot(run_dir)


def test_a_run_whose_events_are_lost_has_begun_all_the_same(run_dir: Path) -> None:
    (run_dir / runs.EVENTS).write_bytes(b"")
    assert runs.read_run(run_dir).status == "queued"
    (run_dir / runs.EVENTS).write_bytes(b"\x80\x02 no event\n")
    assert runs.read_run(run_dir).status == "interrupted"
    (run_dir / runs.EVENTS).unlink()
    (run_dir / runs.RESUME).touch()
    assert runs.read_run(run_dir).status == "interrupted"


def test_a_damaged_run_is_named(run_dir: Path) -> None:
    runs_dir = run_dir.parent
    assert runs.damaged_runs(runs_dir) == runs.damaged_runs(runs_dir / "nowhere") == {}
    (run_dir / runs.CONFIG).write_text('{"config": ')
    assert runs.damaged_runs(runs_dir) == {
        run_dir.name: f"The run {run_dir} cannot be read: its config.json is damaged. Train again."
    }
