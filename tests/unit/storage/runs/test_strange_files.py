"""Files of a run folder with other contents: a sentence, or left out; never anything else, and no pipe is waited for."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.mutations import mutated
from tests.helpers.training_data import SCHEMA, make_data, make_run, tiny_config
from training.assist.filling.model import FillModel
from training.errors import UserError
from training.experiments import experiment_events
from training.experiments.report.saved_table import CSV, JSON, read_table
from training.faces.labels.schema import KAGGLE_15, KeypointSchema
from training.faces.measures.calibration import Calibration, default_calibration
from training.learning.inference.checkpoint import ModelInfo
from training.processes import tail
from training.processes.locks import Lock
from training.search.plan import PLAN, TRIALS, SearchPlan, TrialInfo, read_plan, read_trials, write_plan, write_trials
from training.storage.runs import known_speeds
from training.storage.runs.events import EpochDone, Progress, RunFailed, RunFinished, RunStarted, from_line, to_line
from training.storage.runs.folder import load_config, read_about, read_events
from training.storage.runs.inputs.balance import read_balance
from training.storage.runs.inputs.snapshot import load_schemes, load_snapshot
from training.storage.runs.listing import damaged_runs, list_runs, read_run
from training.storage.runs.model.adjustment import Adjustment, read_adjustment, write_adjustment
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.search_space import default_space, space_from_json, space_to_json

CONFIG = tiny_config()


def survives(read: Callable[[str], object], values: Any, *, least: int, told: tuple[type[Exception], ...]) -> None:
    """Every mutation is read, or refused with one of these errors; at least so many are refused."""
    refused, tried = 0, 0
    for what, text in mutated(values):
        tried += 1
        try:
            read(text)
        except told as error:
            refused += 1
            assert len(str(error)) < 3000, what
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    assert refused >= least
    assert tried > refused


def writing(path: Path, read: Callable[[], object]) -> Callable[[str], object]:
    def call(text: str) -> object:
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return read()

    return call


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path, CONFIG, make_data()[1])


def parsed(read: Callable[[Any], object]) -> Callable[[str], object]:
    from training.files.json_values import parse_json

    return lambda text: read(parse_json(text))


def test_settings(run: Run) -> None:
    survives(parsed(RunConfig.from_json), CONFIG.to_json(), least=500, told=(UserError, ValueError))


def test_schemas() -> None:
    values = json.loads(json.dumps(KAGGLE_15.to_json()))
    survives(parsed(KeypointSchema.from_json), values, least=300, told=(UserError, ValueError))


@pytest.mark.parametrize("name", ["edges", "flip", "interocular", "template"])
def test_numbers_of_keypoints_that_there_are_not(name: str) -> None:
    values = json.loads(json.dumps(KAGGLE_15.to_json()))
    strange = {"edges": [[0, 15]], "flip": [*range(14), -1], "interocular": [[0], [99]], "template": [[0, 0]]}
    with pytest.raises(UserError, match="not a keypoint schema"):
        KeypointSchema.from_json({**values, name: strange[name]})


def test_calibrations() -> None:
    values = default_calibration(3).to_json()
    survives(parsed(Calibration.from_json), values, least=150, told=(UserError, ValueError))


def test_headers_of_models() -> None:
    info = ModelInfo(CONFIG, SCHEMA, "float32", {"rmse": 1.0}, default_calibration(3), schemes=("a", "b"))
    survives(ModelInfo.from_text, json.loads(info.to_text()), least=800, told=(UserError,))
    with pytest.raises(UserError, match="not of 3 keypoints"):
        ModelInfo.from_text(ModelInfo(CONFIG, SCHEMA, "float32", calibration=default_calibration(4)).to_text())


def test_spaces_and_plans(tmp_path: Path, run: Run) -> None:
    space = default_space(CONFIG)
    survives(parsed(space_from_json), space_to_json(space), least=200, told=(ValueError,))
    folder = run.path
    write_plan(folder, SearchPlan("a", CONFIG, space, 3))
    values = json.loads((folder / PLAN).read_text())
    survives(writing(folder / PLAN, lambda: read_plan(folder)), values, least=200, told=(UserError,))


def test_tables_of_trials(tmp_path: Path) -> None:
    write_trials(tmp_path, [TrialInfo(0, "done", 1.5, 1.0, {"dropout": 0.1}), TrialInfo(1, "running")])
    values = json.loads((tmp_path / TRIALS).read_text())
    survives(writing(tmp_path / TRIALS, lambda: read_trials(tmp_path)), values, least=0, told=())


def test_notes_of_a_run(run: Run) -> None:
    values = json.loads(run.config.read_text())
    survives(writing(run.config, lambda: (read_run(run), load_snapshot(run))), values, least=600, told=(UserError,))
    survives(writing(run.config, lambda: list_runs(run.path.parent)), values["created"], least=0, told=())
    run.config.write_text(json.dumps({**values, "created": "yesterday"}))
    assert list_runs(run.path.parent) == []
    assert "config.json is damaged" in damaged_runs(run.path.parent)[run.name]


def test_adjustments(run: Run) -> None:
    write_adjustment(run, Adjustment(np.zeros((3, 2)), 5, 1.0, 0.5))
    values = json.loads(run.adjustment.read_text())
    survives(writing(run.adjustment, lambda: read_adjustment(run, keypoints=3)), values, least=100, told=(UserError,))


def test_balances(run: Run) -> None:
    values = {
        "edges": [0.0, 1.0, 2.0],
        "before": [1, 2],
        "after": [2, 2],
        "bins": [0, 1],
        "copies": [2, 1],
        "ids": [1, 2],
    }
    survives(writing(run.balance, lambda: read_balance(run)), values, least=100, told=(UserError,))


def test_speeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "speeds.json"
    monkeypatch.setattr(known_speeds, "_path", lambda: path)
    values = {"fast": {"one": 1.0, "many": 2.0, "training": 3.0, "precision": "float32", "threads": 2}}
    survives(writing(path, lambda: known_speeds.speed_of("fast")), values, least=0, told=())


def test_tables_of_experiments(tmp_path: Path) -> None:
    (tmp_path / CSV).write_text("a,b\n1,2\n")
    survives(writing(tmp_path / JSON, lambda: read_table(tmp_path)), {"sentences": ["a", "b"]}, least=0, told=())


EVENTS = (
    RunStarted("fast", 5, 5, 5, 5, "cpu", "float32", 1, 3, None, 0, 1.5, "", ("a",)),
    Progress(1, 1, 2, 0.5, 10.0, 0.1, 5.0),
    EpochDone(1, 1.0, 1.0, 1.0, 1.0, "box", (0.1, 0.2), 0.1, 0.1, (1.0, 2.0), 1e-3, 1.0, 1.0, True),
    RunFinished("done", 3, 3, 1.0, 0.1, 5.0),
    RunFailed("message", "hint", "trace"),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events(run: Run, event: Any) -> None:
    """What is read has the kinds that plots and tables rely on."""

    def read(text: str) -> None:
        found = from_line(text)
        for name, value in asdict(event).items():
            read_value = getattr(found, name)
            optional = name in ("epochs", "minutes")
            assert type(read_value) is type(value) or (optional and type(read_value) in (int, float, type(None)))

    values = json.loads(to_line(event, time=1.0))
    survives(read, values, least=50, told=(ValueError,))
    survives(writing(run.events, lambda: read_events(run)), values, least=0, told=())


def test_events_of_experiments() -> None:
    event = experiment_events.RunProgress("a", 0, "r", "done", 1.0, 3, 1.0)
    survives(experiment_events.from_line, json.loads(experiment_events.to_line(event)), least=30, told=(ValueError,))


def arrays(path: Path, values: dict[str, Any]) -> None:
    with path.open("wb") as file:
        np.savez(file, **values)


def test_labels_of_other_shapes_or_kinds(run: Run) -> None:
    with np.load(run.snapshot) as archive:
        whole = dict(archive)
    load_snapshot(run)
    for name, value in whole.items():
        strange = {
            "shorter": value[:-1],
            "another axis": value[..., None],
            "text": np.full(value.shape, "x"),
            "none": np.zeros((0, 3)),
            "a number": np.array(3),
            "complex": value.astype(complex),
        }
        for what, other in strange.items():
            arrays(run.snapshot, {**whole, name: other})
            with pytest.raises(UserError, match=r"labels\.npz is damaged"):
                load_snapshot(run)
                pytest.fail(f"{name}: {what}")
        arrays(run.snapshot, {key: other for key, other in whole.items() if key != name})
        with pytest.raises(UserError, match=r"labels\.npz is damaged"):
            load_snapshot(run)


def test_schemes_that_there_are_not(run: Run) -> None:
    with np.load(run.snapshot) as archive:
        whole = dict(archive)
    schemes, names = np.zeros(len(whole["ids"]), np.int64), np.array(["a", "b"])
    arrays(run.snapshot, {**whole, "schemes": schemes, "scheme_names": names})
    assert load_snapshot(run).scheme_names is not None
    for strange in ({"schemes": schemes + 2}, {"schemes": schemes - 1}, {"schemes": schemes[:0]}):
        arrays(run.snapshot, {**whole, "scheme_names": names, **strange})
        with pytest.raises(UserError, match="damaged"):
            load_snapshot(run)
        assert load_schemes(run, 2) is None
    arrays(run.snapshot, {**whole, "schemes": schemes})
    with pytest.raises(UserError, match="damaged"):
        load_snapshot(run)


def huge(path: Path, name: str) -> None:
    """An archive whose header promises a terabyte."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (131072, 1048576), }"
    padded = header + b" " * (118 - len(header) - 1) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.npy", data)


def test_arrays_that_are_larger_than_their_file(run: Run) -> None:
    huge(run.snapshot, "ids")
    with pytest.raises(UserError, match="damaged"):
        load_snapshot(run)
    huge(run.fill, "covariance")
    with pytest.raises(UserError, match="larger than its file"):
        FillModel.load(run.fill)


@pytest.mark.parametrize("faces", [np.array([1, 2]), np.array(np.inf), np.array("x"), np.array(1.5)])
def test_fill_models_of_no_number_of_faces(run: Run, faces: np.ndarray) -> None:
    arrays(run.fill, {"covariance": np.eye(6), "faces": faces})
    with pytest.raises(UserError, match="damaged"):
        FillModel.load(run.fill)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes among its files")
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("config", read_about),
        ("config", load_config),
        ("snapshot", load_snapshot),
        ("fill", lambda run: FillModel.load(run.fill)),
        ("adjustment", lambda run: read_adjustment(run, keypoints=3)),
        ("balance", read_balance),
        ("events", read_run),
        ("lock", read_run),
    ],
)
def test_pipes_are_refused_at_once(run: Run, name: str, read: Callable[[Run], object]) -> None:
    path: Path = getattr(run, name)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(UserError):
        read(run)
    assert list_runs(run.path.parent) == [] or name not in ("config", "events", "lock")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes among its files")
def test_a_pipe_is_no_lock(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(OSError, match="pipe or a device"):
        Lock(tmp_path / "lock").acquire(wait=0.1)


def test_events_are_read_in_pieces_and_a_line_without_end_is_left_out(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = to_line(EVENTS[1], time=1.0).encode() + b"\n"
    monkeypatch.setattr(tail, "_MOST", len(line) + 10)
    run.events.write_bytes(line * 5)
    assert read_events(run) == ([EVENTS[1]] * 5, 5 * len(line))
    run.events.write_bytes(b"x" * 3 * len(line) + b"\n" + line)
    found, at = [], -1
    while True:
        events, offset = read_events(run, after=max(at, 0))
        if offset == at:
            break
        found, at = [*found, *events], offset
    assert found[-1:] == [EVENTS[1]] and at == run.events.stat().st_size
