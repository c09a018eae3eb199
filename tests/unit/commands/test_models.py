"""fkp with a model: train, stop, resume, evaluate, predict, fill."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import faces, make_project
from training import cli
from training.commands.shared.predict_all import predict_into
from training.faces.labels.head_poses import write_poses
from training.faces.labels.labels import Origin
from training.faces.labels.schema import KAGGLE_15
from training.learning.evaluation.confidence import judge_run
from training.storage.project.edits.undo import undo
from training.storage.project.journal import read_steps
from training.storage.project.project import Project
from training.storage.project.tables.predictions import predicted_ids
from training.storage.runs.events import EpochDone, RunFailed, from_line
from training.storage.runs.listing import read_run
from training.storage.runs.model.adjustment import Adjustment, write_adjustment
from training.storage.runs.model.judged_predictions import judge_stored
from training.storage.runs.run import MODEL, Run

SETTINGS = ("--recipe", "cnn-6", "--device", "cpu", "--set", "batch_size=12", "threads=1", "precision=float32")


def fkp(*words: object) -> int:
    return cli.main([str(word) for word in words])


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one run of one epoch."""
    path = make_project(tmp_path_factory.mktemp("trained") / "faces.fkp")
    assert fkp("train", path, *SETTINGS, "--epochs", 1, "--seed", 3) == 0
    return path


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "copy.fkp"))


def test_train_names_the_run_folder_last(trained: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("train", project, *SETTINGS, "--epochs", 1) == 0
    said = capsys.readouterr()
    assert said.out == f"{project}/runs/0002-cnn-6\n"
    assert "epoch    1" in said.err
    run = read_run(Run(trained / "runs" / "0001-cnn-6"))
    assert (run.status, run.config.seed, run.config.optim.batch_size, run.config.budget.epochs) == ("done", 3, 12, 1)
    assert run.has_model


def test_train_as_json_lines(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("train", project, *SETTINGS, "--epochs", 1, "--json") == 0
    *lines, last = capsys.readouterr().out.splitlines()
    events = [from_line(line) for line in lines]
    assert sum(isinstance(e, EpochDone) for e in events) == 1
    assert json.loads(last) == {"run": f"{project}/runs/0002-cnn-6"}


def test_a_run_that_fails_tells_why(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    import training.learning.fit.train_run

    endings = [
        RunFailed("The disk is full.", "Free some space, then resume the run.", "Traceback"),
        RunFailed("ValueError: x", "This is an internal error; the log has the details.", "Traceback of x"),
    ]
    for ending, code in zip(endings, (2, 1), strict=True):
        monkeypatch.setattr(training.learning.fit.train_run, "train_run", lambda *a, ending=ending, **k: ending)
        assert fkp("train", project, *SETTINGS, "--epochs", 1) == code
        said = capsys.readouterr()
        assert f"failed: {ending.message.rstrip('.')}. {ending.hint}" in said.err.splitlines()[-1]
        assert "Traceback" not in said.err
        assert "/runs/000" in said.out.splitlines()[-1]
    assert "Traceback of x" in (home / "state" / "fkp-studio" / "fkp.log").read_text()


def child(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "training.cli", *map(str, words)]
    root = Path(__file__).parents[3]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root)


def interrupt_after_an_epoch(process: subprocess.Popen[str]) -> list[str]:
    """Press Ctrl-C after the first epoch; returns all lines of stdout."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if '"EpochDone"' in line and process.poll() is None:
            process.send_signal(signal.SIGINT)
            break
    rest, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    return lines + rest.splitlines()


def test_ctrl_c_keeps_the_best_model_and_resume_goes_on(project: Path) -> None:
    lines = interrupt_after_an_epoch(child("train", project, *SETTINGS, "--epochs", 100_000, "--json"))
    run = Run(Path(json.loads(lines[-1])["run"]))
    first = read_run(run)
    assert first.status == "stopped"
    assert run.model.is_file()
    interrupt_after_an_epoch(child("resume", run, "--json"))
    second = read_run(run)
    assert second.status == "stopped"
    assert first.last is not None
    assert second.last is not None
    assert second.last.epoch > first.last.epoch


def test_a_reader_that_goes_away_stops_the_run_with_its_model_kept(project: Path) -> None:
    process = child("train", project, *SETTINGS, "--epochs", 100_000, "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == 141
    run = read_run(Run(project / "runs" / "0002-cnn-6"))
    assert (run.status, run.has_model) == ("stopped", True)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_resume_of_a_finished_run(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("resume", trained / "runs" / "0001-cnn-6") == 2
    assert "0001-cnn-6 is done" in capsys.readouterr().err


def test_evaluate(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for run in ("1", "0001-cnn-6", trained / "runs" / "0001-cnn-6"):
        assert fkp("evaluate", trained, "--run", run, "--json") == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["n"] == 6
        assert {"rmse", "nme_interocular", "nme_box", "auc@0.08", "fr@0.10", "left_out"} <= set(facts)
        assert len(facts["per_keypoint"]) == 15
        assert facts["rmse"] > 0
    assert fkp("evaluate", trained, "--run", 1, "--split", "train") == 0
    assert "0001-cnn-6 on train" in capsys.readouterr().out
    assert fkp("evaluate", trained, "--run", 1, "--split", "test") == 2
    assert "no samples in its test split" in capsys.readouterr().err


def test_evaluate_by_pose(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("evaluate", project, "--run", 1, "--by-pose", 3) == 2
    assert "None of the 6 faces" in capsys.readouterr().err, "all have the same shape"
    with Project.open(project, read_only=True) as opened:
        index = opened.index()
        val = index.ids[index.splits == 1]
        names = opened.names(val)
    write_poses(project, names, np.array([[-30.0, 0, 0], [30, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]))
    assert fkp("evaluate", project, "--run", 1, "--by-pose", 3) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if " to " in line]
    assert [row[:4] for row in rows] == [
        ["-30.0", "to", "-10.0", "1"],
        ["-10.0", "to", "+10.0", "4"],
        ["+10.0", "to", "+30.0", "1"],
    ]
    assert fkp("evaluate", project, "--run", 1, "--by-pose", 3, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["pose"] == "yaw in degrees" and facts["run"].startswith("0001-")
    assert all(0 < b["error"] < 1 for b in facts["bins"])
    assert fkp("evaluate", project, "--run", 1, "--by-pose", 0) == 2


def test_predict_images_of_any_size(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    image = faces(1)[0][0]
    cv2.imwrite(str(folder / "a.png"), image)
    cv2.imwrite(str(folder / "deep" / "b.jpg"), cv2.resize(image, (200, 300)))
    (folder / "c.png").write_bytes(b"not an image")
    out = tmp_path / "out.csv"
    model = trained / "runs" / "0001-cnn-6"
    assert fkp("predict", folder, "--model", model, "--out", out) == 0
    said = capsys.readouterr()
    assert "2 images predicted" in said.out
    assert "c.png" in said.err
    rows = read_csv(out)
    assert [row["image"] for row in rows] == ["a.png", "deep/b.jpg"]
    assert len(rows[0]) == 1 + 3 * 15
    assert 0 <= float(rows[0]["nose_tip_confidence"]) <= 1
    assert float(rows[1]["nose_tip_y"]) == pytest.approx(float(rows[0]["nose_tip_y"]) * 300 / 96, rel=0.1)
    single = tmp_path / "single.csv"
    assert fkp("predict", folder / "a.png", "--model", model / MODEL, "--out", single) == 0
    assert read_csv(single)[0]["nose_tip_x"] == rows[0]["nose_tip_x"]


def test_predict_with_nothing_to_read(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.png").write_bytes(b"not an image")
    (tmp_path / "empty").mkdir()
    model, out = trained / "runs" / "0001-cnn-6", tmp_path / "out.csv"
    assert fkp("predict", tmp_path / "bad.png", "--model", model, "--out", out) == 2
    assert fkp("predict", tmp_path / "empty", "--model", model, "--out", out) == 2
    assert "No images found in" in capsys.readouterr().err
    assert not out.exists()
    out.write_text("my,precious,data\n")
    assert fkp("predict", tmp_path / "bad.png", "--model", model, "--out", out) == 2
    assert f"so {out} was not written" in capsys.readouterr().err
    assert out.read_text() == "my,precious,data\n"
    assert not list(tmp_path.glob(".*"))
    assert fkp("predict", trained, "--model", model, "--out", tmp_path / "nowhere" / "out.csv") == 2
    assert "the folder does not exist" in capsys.readouterr().err
    assert fkp("predict", trained, "--model", model, "--out", tmp_path) == 2
    assert "this is a folder; give the name of a file" in capsys.readouterr().err
    assert fkp("predict", trained, "--model", "gone.safetensors", "--out", out) == 2
    assert "There is no model file gone.safetensors" in capsys.readouterr().err


def test_predict_of_a_project_without_samples(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Project.create(tmp_path / "empty.fkp", KAGGLE_15).close()
    out = tmp_path / "out.csv"
    model = trained / "runs" / "0001-cnn-6"
    assert fkp("predict", tmp_path / "empty.fkp", "--model", model, "--out", out) == 2
    assert "There are no samples to predict" in capsys.readouterr().err
    assert not out.exists()


def test_predict_and_export_overwrite_earlier_results_only(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, model = tmp_path / "photos" / "a.png", tmp_path / "copy.safetensors"
    image.parent.mkdir()
    cv2.imwrite(str(image), faces(1)[0][0])
    shutil.copy(project / "runs" / "0001-cnn-6" / MODEL, model)
    (tmp_path / "table.txt").write_text("no image")
    (tmp_path / "link.csv").symlink_to(project / "project.db")
    before = {path: path.read_bytes() for path in (image, model, project / "project.db")}
    refused = {
        ("predict", image.parent, "--model", model, "--out", image): "this is an image",
        ("predict", image.parent, "--model", model, "--out", model): "an input of the same command",
        ("predict", image, tmp_path / "table.txt", "--model", model, "--out", tmp_path / "table.txt"): "an input",
        ("predict", image, "--model", model, "--out", project / "project.db"): "inside the project",
        ("predict", project, "--model", 1, "--out", project / "pixels" / "x.csv"): "inside the project",
        ("predict", image, "--model", model, "--out", tmp_path / "link.csv"): "inside the project",
        ("export", project, project / "project.db", "--format", "csv"): "inside the project",
        ("export", project, tmp_path / "link.csv", "--format", "kaggle", "--run", 1): "inside the project",
        ("export", project, image.parent, "--format", "pts"): "it is not empty",
        ("export", model, model, "--format", "model"): "an input of the same command",
        ("export", project, project / "m.onnx", "--format", "onnx", "--run", 1): "inside the project",
    }
    for words, sentence in refused.items():
        assert fkp(*words) == 2
        assert sentence in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before
    for _ in range(2):
        assert fkp("predict", image.parent, "--model", model, "--out", tmp_path / "photos" / "out.csv") == 0
        assert fkp("export", model, tmp_path / "small.safetensors", "--format", "model") == 0


def test_a_model_that_cannot_be_written_leaves_nothing(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "m.safetensors"
    out.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    assert fkp("export", project / "runs" / "0001-cnn-6", out, "--format", "model") == 2
    assert f"{out}: the disk is full" in capsys.readouterr().err
    assert out.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir() if "safetensors" in path.name} == {"m.safetensors"}


def test_predictions_for_spreadsheets(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    cv2.imwrite(str(folder / "=1+1.png"), faces(1)[0][0])
    model, out = trained / "runs" / "0001-cnn-6", tmp_path / "out.csv"
    for more, name in ((), "=1+1.png"), (("--escape-formulas",), "'=1+1.png"):
        assert fkp("predict", folder, "--model", model, "--out", out, *more) == 0
        assert read_csv(out)[0]["image"] == name
    assert float(read_csv(out)[0]["nose_tip_x"]) > 0
    assert fkp("export", trained, tmp_path / "k.csv", "--format", "kaggle", "--escape-formulas") == 2
    assert fkp("export", model, tmp_path / "m.safetensors", "--format", "model", "--escape-formulas") == 2
    assert capsys.readouterr().err.count("--escape-formulas requires --format csv") == 2


def test_predict_a_project(trained: Path, tmp_path: Path) -> None:
    assert fkp("predict", trained, "--model", 1, "--out", tmp_path / "out.csv") == 0
    assert [row["image"] for row in read_csv(tmp_path / "out.csv")] == [f"face-{i:03d}" for i in range(24)]


def test_fill_is_one_step_and_replaces_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Project.open(project) as opened:
        before = opened.labels(opened.ids())
    assert fkp("fill", project, "--run", 1, "--min-confidence", 1) == 0
    assert fkp("fill", project, "--run", "0001-cnn-6") == 0
    assert "points filled in 8 faces from 0001-cnn-6, conditioned on their labels" in capsys.readouterr().out
    assert (project / "runs" / "0001-cnn-6" / "fill.npz").is_file()  # the training wrote it, from 6 faces of val
    with Project.open(project) as opened:
        after = opened.labels(opened.ids())
        assert not after.missing.any()
        assert np.array_equal(after.points[before.mask], before.points[before.mask])
        assert set(after.origins[before.missing].tolist()) == {Origin.MODEL}
        assert len(predicted_ids(opened.database, "0001-cnn-6")) == 24
        for step in reversed(read_steps(opened.database)):
            undo(opened, step.id)
        assert opened.labels(opened.ids()).same_as(before)
    assert fkp("info", project) == 0
    assert "0001-cnn-6  done" in capsys.readouterr().out


def test_fill_within_an_error_budget_takes_the_surest(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    budget = ("fill", project, "--run", 1, "--plain", "--beyond", 10, "--at-most-wrong")
    assert fkp(*budget, 0.0001) == 0
    assert "nothing is within the budget" in capsys.readouterr().out
    with Project.open(project, read_only=True) as opened:
        before, predicted = opened.labels(opened.ids()), opened.predictions("0001-cnn-6", opened.ids())
    wrong = np.sort(1 - predicted.confidences[before.missing].astype(np.float64))
    wanted = len(wrong) // 2
    assert fkp(*budget, 100 * (wrong[:wanted].mean() + 1e-9)) == 0
    assert f"{wanted:,} points filled" in capsys.readouterr().out
    with Project.open(project, read_only=True) as opened:
        filled = opened.labels(opened.ids()).mask & before.missing
    assert np.sort(1 - predicted.confidences[filled].astype(np.float64)) == pytest.approx(wrong[:wanted])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--beyond", 5), "--beyond requires --at-most-wrong"),
        (("--at-most-wrong", 0), "--at-most-wrong must be between 0 and 100 percent"),
        (("--at-most-wrong", 2, "--beyond", 1), "--beyond must be between 2 and 100 percent"),
    ],
)
def test_a_budget_that_makes_no_sense(
    trained: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    assert fkp("fill", trained, "--run", 1, *arguments) == 2
    assert sentence in capsys.readouterr().err


def test_evaluate_calibration(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("evaluate", trained, "--run", 1, "--calibration", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    with Project.open(trained, read_only=True) as opened:
        val = opened.index().splits == 1
        labelled = int(opened.labels(opened.ids()[val]).mask.sum())
    assert (facts["points"], facts["faces"], facts["split"]) == (labelled, 6, "val")
    assert [limit["beyond"] for limit in facts["limits"]] == [0.05, 0.1]
    assert all(sum(b["points"] for b in limit["bins"]) == labelled for limit in facts["limits"])
    assert fkp("evaluate", trained, "--run", 1, "--calibration") == 0
    assert "counts as wrong if its error exceeds 5% of the inter-ocular distance" in capsys.readouterr().out
    assert fkp("evaluate", trained, "--run", 1, "--calibration", "--by-pose", 3) == 2


def test_evaluate_measures_what_predict_gives(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Uses and reports the fit in use; confidences are judged by stored predictions, as in the window."""
    run = Run(project / "runs" / "0001-cnn-6")
    write_adjustment(run, Adjustment(np.full((15, 2), 200.0), 24, 2.24, 2.00))
    found = {}
    for way in ((), ("--without-fit",), ("--protocol", "kaggle")):
        assert fkp("evaluate", project, "--run", 1, *way, "--json") == 0
        found[way] = json.loads(capsys.readouterr().out)
    fit, itself, protocol = found.values()
    assert fit["fit"] == {"faces": 24, "rmse_before": 2.24, "rmse_after": 2.0}
    assert itself["fit"] is None and protocol["fit"] is None
    assert fit["rmse"] > 100 > itself["rmse"]
    assert fkp("evaluate", project, "--run", 1, "--calibration") == 0
    assert "On held-out faces: RMSE 2.24 -> 2.00 px." in capsys.readouterr().out
    assert fkp("evaluate", project, "--run", 1, "--without-fit") == 0
    assert "Without the calibration that `fkp predict` applies" in capsys.readouterr().out
    with Project.open(project) as opened:
        predict_into(opened, run, opened.ids())
        stored, (judged, _curve) = judge_stored(opened, run.name), judge_run(opened, run)
    assert judged.errors == pytest.approx(stored.errors, rel=1e-3)
    assert judged.confidences == pytest.approx(stored.confidences, rel=1e-3)


def test_fill_with_a_run_of_another_project(project: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("fill", project, "--run", trained / "runs" / "0001-cnn-6") == 2
    assert "is a run of another project" in capsys.readouterr().err


def test_export_of_a_run_predicts_what_is_missing(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = project / "runs" / "0001-cnn-6" / MODEL

    def predicted_first() -> bool:
        assert fkp("export", project, tmp_path / "out.csv", "--format", "csv", "--run", 1) == 0
        return "0001-cnn-6 first predicts 24 samples\n" in capsys.readouterr().err

    assert (predicted_first(), predicted_first()) == (True, False)
    assert fkp("predict", project, "--model", 1, "--out", tmp_path / "predicted.csv") == 0
    for one, other in zip(read_csv(tmp_path / "out.csv"), read_csv(tmp_path / "predicted.csv"), strict=True):
        assert float(one["nose_tip_x"]) == pytest.approx(float(other["nose_tip_x"]), abs=1e-3)
    os.utime(model, ns=(0, 0))  # another model: the stored predictions are by an earlier one
    assert fkp("fill", project, "--run", 1, "--min-confidence", 1) == 0
    assert not predicted_first()
    os.utime(model, ns=(1, 1))
    assert predicted_first()


def test_export_with_a_run_of_another_project(project: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained / "runs" / "0001-cnn-6"
    assert fkp("export", project, project.parent / "out.csv", "--format", "csv", "--run", run) == 2
    assert "is a run of another project" in capsys.readouterr().err


def test_a_device_that_is_not_there_leaves_no_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("train", project, "--recipe", "cnn-6", "--epochs", 1, "--device", "mps") == 2
    assert "no mps device" in capsys.readouterr().err
    assert [path.name for path in (project / "runs").glob("0*")] == ["0001-cnn-6"]


def test_runs_with_damaged_files(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = project / "runs" / "0001-cnn-6"
    (run / "config.json").write_text("{")
    for words in (("evaluate", project, "--run", 1), ("fill", project, "--run", "0001-cnn-6")):
        assert fkp(*words) == 2
        assert capsys.readouterr().err == f"The run {run} cannot be read: its config.json is damaged. Train again.\n"
    assert fkp("info", project) == 0
    assert f"problem: The run {run} cannot be read" in capsys.readouterr().out


def test_a_image_that_is_gone_is_left_out(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, _ = faces(8)
    folder = tmp_path / "in"
    (folder / "images").mkdir(parents=True)
    rows = ["image,split," + ",".join(KAGGLE_15.columns)]
    for i, image in enumerate(images):
        cv2.imwrite(str(folder / "images" / f"{i}.png"), image)
        rows.append(f"{i}.png,{'val' if i < 4 else 'train'}," + ",".join(["20"] * 30))
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    project = tmp_path / "p.fkp"
    assert fkp("import", folder, project) == 0
    (folder / "images" / "1.png").unlink()
    (folder / "images" / "6.png").write_bytes(b"no image")
    assert fkp("train", project, *SETTINGS, "--epochs", 1) == 0
    assert "3 train faces with 45 points, 3 val faces" in capsys.readouterr().err
    assert fkp("evaluate", project, "--run", 1, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["left_out"]["picture cannot be read"]) == (3, 1)
    shutil.rmtree(folder / "images")
    for words in (("evaluate", project, "--run", 1), ("train", project, *SETTINGS, "--epochs", 1)):
        assert fkp(*words) == 2
        assert "no such file" in capsys.readouterr().err
