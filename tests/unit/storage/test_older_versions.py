"""A project of version 0.1.0, with a finished and a stopped run, opens, evaluates and resumes as it did."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from training.cli import main
from training.faces.labels.labels import PointState
from training.storage.project.project import Project

ARCHIVE = Path(__file__).parents[2] / "fixtures" / "project-0.1.0.zip"
FINISHED, STOPPED = "0001-fast", "0002-fast"
RMSE = {FINISHED: 9.836993771050675, STOPPED: 9.63076034559186}  # px on the 5 val faces, as 0.1.0 printed them
NME = {FINISHED: 0.5215712391503451, STOPPED: 0.5109775296944468}


@pytest.fixture
def old_project(tmp_path: Path) -> Path:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    return tmp_path / "old.fkp"


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> dict:
    assert main([str(word) for word in words]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_project_opens_with_all_its_labels(old_project: Path) -> None:
    with Project.open(old_project) as project:
        states = project.labels(project.ids()).states
        assert (len(project), project.schema.name) == (24, "kaggle-15")
        assert int((states == PointState.UNSET).sum()) == 100
        assert np.bincount(project.splits(project.ids())).tolist() == [14, 5, 5]


def test_its_runs_are_listed_with_their_state(old_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = {run["name"]: run["status"] for run in answer(capsys, "info", old_project, "--json")["runs"]}
    assert runs == {FINISHED: "done", STOPPED: "stopped"}


@pytest.mark.parametrize("run", [FINISHED, STOPPED])
def test_a_run_evaluates_to_the_same_figures(old_project: Path, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "evaluate", old_project, "--run", run, "--json")
    assert found["n"] == 5
    assert found["rmse"] == pytest.approx(RMSE[run], abs=0.005)
    assert found["nme_interocular"] == pytest.approx(NME[run], abs=0.0005)


def test_the_stopped_run_resumes_where_it_was(old_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = old_project / "runs" / STOPPED
    assert main(["resume", str(run)]) == 0
    capsys.readouterr()
    epochs = [
        e["epoch"]
        for e in map(json.loads, (run / "events.jsonl").read_text().splitlines())
        if e["event"] == "EpochDone"
    ]
    assert epochs == list(range(1, 41))
    assert {r["name"]: r["status"] for r in answer(capsys, "info", old_project, "--json")["runs"]}[STOPPED] == "done"


def test_missing_points_are_filled_from_it(old_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fill", str(old_project), "--run", FINISHED]) == 0
    capsys.readouterr()
    with Project.open(old_project) as project:
        assert not (project.labels(project.ids()).states == PointState.UNSET).any()
