"""Experiments from plan to report: what is trained, reused, kept after a stop or a kill, and written."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault(
    "MPLCONFIGDIR", str(Path(tempfile.gettempdir()) / "fkp-tests-matplotlib")
)  # its font list takes seconds

from training.cli import main
from training.errors import UserError
from training.experiments.conduct import conduct, hold
from training.experiments.experiment_events import (
    ExperimentDone,
    ExperimentEvent,
    ExperimentStarted,
    RunProgress,
    from_line,
    to_line,
)
from training.experiments.options import FOLDER, LOCK, Options
from training.experiments.papers.catalogue import find_experiment
from training.experiments.papers.definition import Arm, Budget, Claim, Experiment
from training.experiments.plan import find_done, make_plan
from training.experiments.report.saved_table import read_table
from training.experiments.runner import Runner
from training.faces.labels.head_poses import POSES, read_yaw, write_poses
from training.learning.fit.train_run import train_run
from training.processes.locks import holder
from training.storage.project.project import Project
from training.storage.runs.inputs.snapshot import snapshot_project
from training.storage.runs.listing import list_runs
from training.storage.runs.new_run import write_run
from training.synthetic.demo import make_demo_project

TINY = {
    "input_size": "32",
    "channels": "1",
    "batch_size": "16",
    "precision": "float32",
    "device": "cpu",
    "learning_rate": "1e-3",
}
EXPERIMENT = Experiment(
    name="tiny",
    title="Tiny <b>",
    source="nowhere",
    about="Two losses.",
    paper_setting="none",
    arms=(
        Arm("wing", "Wing", "cnn-6", {**TINY, "loss": "wing"}, {"rmse_96": 1.0}),
        Arm("l2", "L2", "cnn-6", {**TINY, "loss": "l2"}, {"rmse_96": 2.0}),
    ),
    claims=(
        Claim("wing", "l2", "rmse_96", "Wing beats L2"),
        Claim("wing", "l2", "rmse_96", "also here", faces="turned"),
    ),
    figures=("curves", "losses", "ced", "keypoints", "pose"),
)
OPTIONS = Options(Budget(minutes=None, epochs=1, seeds=2), 2)
Key = tuple[str, int]


def fake(mode: str) -> tuple[str, ...]:
    return sys.executable, "-m", "tests.helpers.fakes.training", mode


def runner(project: Path, mode: str = "good", *, events: list[ExperimentEvent] | None = None) -> Runner:
    with Project.open(project, read_only=True) as opened:
        snapshot = snapshot_project(opened)
    tell = [].append if events is None else events.append
    return Runner(project / "runs", snapshot, side_by_side=2, tell=tell, command=fake(mode))


def statuses(events: list[ExperimentEvent], key: Key) -> list[str]:
    found = [e.status for e in events if isinstance(e, RunProgress) and (e.arm, e.seed) == key]
    return list(dict.fromkeys(found))


def test_each_arm_and_seed_is_trained_once_as_an_ordinary_run(project_path: Path) -> None:
    events: list[ExperimentEvent] = []
    done = runner(project_path, events=events).train(make_plan(EXPERIMENT, OPTIONS.budget), threading.Event())
    infos = list_runs(project_path / "runs")
    assert [i.status for i in infos] == ["done"] * 4
    assert sorted(done) == [("l2", 0), ("l2", 1), ("wing", 0), ("wing", 1)]
    assert {key: (i.config.objective.loss, i.config.seed) for key, i in done.items()} == {key: key for key in done}
    assert statuses(events, ("wing", 0))[-1] == "done"
    assert len({i.label_hash for i in infos}) == 1


def test_finished_trainings_are_not_done_again(project_path: Path) -> None:
    plan = make_plan(EXPERIMENT, OPTIONS.budget)
    runner(project_path).train(plan, threading.Event())
    again = runner(project_path, "speechless").train(plan, threading.Event())  # this one would fail
    assert len(again) == 4
    assert len(list_runs(project_path / "runs")) == 4


def test_what_was_cut_off_goes_on_and_other_settings_or_labels_are_another_training(project_path: Path) -> None:
    job = make_plan(EXPERIMENT, OPTIONS.budget)[0]
    made = runner(project_path)
    info = made.train([job], threading.Event())["wing", 0]
    info.run.events.write_text(info.run.events.read_text().rsplit('{"event":"RunFinished"', 1)[0])
    infos = list_runs(project_path / "runs")
    assert infos[0].status == "interrupted"
    with Project.open(project_path, read_only=True) as project:
        snapshot = snapshot_project(project)
    assert find_done(job, infos, snapshot) is None  # nothing to resume from
    info.run.resume.touch()
    assert find_done(job, infos, snapshot) == infos[0]
    assert find_done(replace(job, config=job.config.changed(seed=5)), infos, snapshot) is None
    assert find_done(replace(job, config=job.config.changed(epochs=3)), infos, snapshot) is None
    assert find_done(job, infos, replace(snapshot, label_hash="other")) is None
    assert find_done(job, infos, replace(snapshot, splits=1 - snapshot.splits)) is None
    (info.run.path / "fake.json").write_text("3")
    assert runner(project_path).train([job], threading.Event())["wing", 0].name == info.name
    assert len(list_runs(project_path / "runs")) == 1


def test_a_stop_keeps_what_is_done_and_starts_nothing_new(project_path: Path) -> None:
    events: list[ExperimentEvent] = []
    stop = threading.Event()
    plan = make_plan(EXPERIMENT, OPTIONS.budget)
    made = runner(project_path, "slow", events=events)

    def stop_after_an_epoch(event: ExperimentEvent) -> None:
        events.append(event)
        if isinstance(event, RunProgress) and event.epoch > 0:
            stop.set()

    made._tell = stop_after_an_epoch
    assert made.train(plan, stop) == {}
    infos = list_runs(project_path / "runs")
    assert [i.status for i in infos] == ["stopped", "stopped"]


def test_a_training_that_fails_does_not_end_the_others(project_path: Path) -> None:
    made = runner(project_path, "failing")
    assert made.train(make_plan(EXPERIMENT, OPTIONS.budget), threading.Event()) == {}
    assert len(made.failures) == 4
    assert "disk is full" in made.failures["wing", 0]


def trained(project: Path) -> Path:
    """The project with all trainings of the tiny experiment done."""
    with Project.open(project, read_only=True) as opened:
        snapshot = snapshot_project(opened)
    for job in make_plan(EXPERIMENT, OPTIONS.budget):
        train_run(write_run(project / "runs", job.config, snapshot))
    return project


def test_from_trainings_to_the_page(project_path: Path) -> None:
    project, events = trained(project_path), []
    with Project.open(project, read_only=True) as opened:
        names = opened.names()
    yaw = np.linspace(-50, 50, len(names))
    write_poses(project, names, np.stack([yaw, yaw, yaw], axis=1))
    assert conduct(EXPERIMENT, project, OPTIONS, tell=events.append, stop=threading.Event(), command=fake("speechless"))
    folder = project / FOLDER / "tiny"
    files = {p.name for p in folder.iterdir()} - {"lock"}
    drawn = {f"{name}.{kind}" for name in ("curves", "losses", "ced", "keypoints") for kind in ("svg", "png")}
    assert files >= {"report.html", "table.csv", "table.json", "table.md", *drawn}
    assert isinstance(events[0], ExperimentStarted)
    assert isinstance(events[-1], ExperimentDone)
    assert read_table(folder) == (events[-1].head, events[-1].rows, events[-1].sentences)
    values = json.loads((folder / "table.json").read_text())
    assert [arm["arm"] for arm in values["arms"]] == ["wing", "l2"]
    assert [claim["faces"] for claim in values["claims"]] == ["all", "turned"]
    assert values["claims"][0]["paper"] == 1.0
    markdown = (folder / "table.md").read_text()
    assert "| Wing | " in markdown
    assert "95 % interval" in markdown
    _check_page((folder / "report.html").read_text(), project)


def _check_page(page: str, project: Path) -> None:
    """It opens offline, runs no scripts, and names no folders of the machine."""
    assert page.startswith("<!doctype html>")
    assert page.count("<svg") >= 3
    assert "Tiny &lt;b&gt;" in page
    assert not re.search(r"https?:|<script|\bsrc=|<link|@import|javascript:", page)
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', page))
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    assert str(project.parent) not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert {t[1:] for t in re.findall(r'href="(#[^"]*)"', page)} <= set(ids)


def test_two_conductors_do_not_train_the_same(project_path: Path) -> None:
    folder = project_path / FOLDER / "tiny"
    assert holder(folder / LOCK) is None
    with hold(folder):
        assert holder(folder / LOCK) == os.getpid()
        with pytest.raises(UserError, match="already running on this project"):
            conduct(EXPERIMENT, project_path, OPTIONS, tell=[].append, stop=threading.Event())
    assert holder(folder / LOCK) is None


def test_what_cannot_be_trained_is_told_before_anything_is(project_path: Path) -> None:
    with Project.open(project_path) as project:
        labels = project.labels(project.ids())
        labels.points[:, 3], labels.states[:, 3] = np.nan, 0
        project.write_labels(project.ids(), labels)
    masked = find_experiment("table-2-masked")
    with pytest.raises(UserError, match="complete faces only"):
        conduct(masked, project_path, OPTIONS, tell=[].append, stop=threading.Event())
    with pytest.raises(UserError, match="The test split has no labelled face"):
        conduct(EXPERIMENT, project_path, replace(OPTIONS, split="test"), tell=[].append, stop=threading.Event())
    assert list_runs(project_path / "runs") == []


def test_without_matplotlib_it_says_how_to_install_it_before_anything_is_trained(
    project_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name))
    assert main(["experiment", "table-2-masked", str(project_path)]) == 2
    assert "pip install 'fkp-studio[experiments]'" in capsys.readouterr().err
    assert not (project_path / FOLDER).exists()


def test_the_command_tells_a_wrong_name(project_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "table-9", str(project_path)]) == 2
    assert "table-2-masked" in capsys.readouterr().err
    assert main(["experiment", "table-2-masked", str(project_path), "--seeds", "0"]) == 2
    assert "between 1 and 100" in capsys.readouterr().err


def test_events_come_back_from_their_lines() -> None:
    for event in (
        ExperimentStarted("a", "A", (("x", "X", 0), ("y", "Y", 1)), "2 trainings", None),
        RunProgress("x", 1, "0001-x", "running", 0.5, 3, 2.25),
        ExperimentDone("r.html", ".", ("arm", "v"), (("x", "1"),), ("said",)),
    ):
        assert from_line(to_line(event)) == event
    assert np.isnan(from_line(to_line(RunProgress("x", 1, "r", "running", 0.0, 0, float("nan")))).rmse)
    for line in ("[]", '{"event": "Other"}', '{"event": "Measuring"}', "no"):
        with pytest.raises(ValueError):
            from_line(line)


def test_the_speed_of_networks_is_measured_and_written(project_path: Path) -> None:
    from training.experiments.report.network_speed import measure_networks, speed_report
    from training.experiments.report.write import write_report

    experiment = find_experiment("table-7-speed")
    few = replace(experiment, arms=(experiment.arm("cnn-6"), experiment.arm("mlp")), claims=())
    found = measure_networks(few, 68, report=lambda _done: None, rounds=1, seconds=0.0)
    assert found[0].parameters == 3_806_152
    assert found[0].megabytes == pytest.approx(4 * 3_806_152 / 2**20, rel=0.001)
    assert all((s.one_by_one > 0).all() and (s.batched > 0).all() for s in found)
    page = write_report(speed_report(few, found, 68, project="p"), project_path / "out")
    assert "3,806,152" in page.read_text()


def test_a_report_that_cannot_be_written_leaves_the_earlier_one(
    project_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.experiments.report.network_speed import measure_networks, speed_report
    from training.experiments.report.write import write_report

    experiment = find_experiment("table-7-speed")
    few = replace(experiment, arms=(experiment.arm("mlp"),), claims=())
    found = measure_networks(few, 15, report=lambda _done: None, rounds=1, seconds=0.0)
    report = speed_report(few, found, 15, project="p")
    write_report(report, tmp_path / "out")
    for path in (tmp_path / "out").iterdir():
        path.write_text("earlier")
    before = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert len(before) == 6
    monkeypatch.setattr("training.experiments.report.write.page", lambda *_: "\ud800")  # cannot be encoded
    with pytest.raises(UnicodeEncodeError):
        write_report(report, tmp_path / "out")
    monkeypatch.undo()
    real = os.fsync
    for last in range(6):
        calls = iter(range(100))

        def full(file: int, calls: Iterator[int] = calls, last: int = last) -> None:
            if next(calls) == last:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(file)

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"/(report|table|speed)\.\w+: the disk is full"):
            write_report(report, tmp_path / "out")
        assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == before


def test_a_report_goes_into_its_own_folder_only(project_path: Path, tmp_path: Path) -> None:
    experiment = find_experiment("table-7-speed")
    stop = threading.Event()
    stop.set()

    def asked(folder: Path) -> bool:
        options = replace(OPTIONS, folder=folder)
        return conduct(experiment, project_path, options, tell=[].append, stop=stop)

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "table.csv").write_text("my table")
    with pytest.raises(UserError, match=r"table\.csv: the report could overwrite this file"):
        asked(tmp_path / "mine")
    for inside in (project_path, project_path / "runs", project_path / "new"):
        with pytest.raises(UserError, match="inside the project"):
            asked(inside)
    assert not (project_path / "new").exists()
    for name in ("report.html", "table.json"):
        (tmp_path / "mine" / name).write_text("an earlier report")
    for folder in (tmp_path / "mine", tmp_path / "new", project_path / FOLDER / "table-7-speed"):
        assert not asked(folder)


def test_the_demo_knows_its_poses(tmp_path: Path) -> None:
    faces = make_demo_project(tmp_path / "demo.fkp", samples=3)
    yaw = read_yaw(tmp_path / "demo.fkp", ["face-00002", "nobody"])
    assert yaw is not None
    assert yaw[0] == pytest.approx(faces.poses[1, 0], abs=0.001)
    assert np.isnan(yaw[1])
    (tmp_path / "demo.fkp" / POSES).write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="columns sample and yaw"):
        read_yaw(tmp_path / "demo.fkp", ["face-00001"])


def test_measuring_can_be_stopped_too(project_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    speed = find_experiment("table-7-speed")
    few = replace(speed, arms=(speed.arm("mlp"),), claims=())
    assert not conduct(few, project_path, OPTIONS, tell=[].append, stop=stop)
    assert not (project_path / FOLDER / "table-7-speed" / "report.html").exists()
