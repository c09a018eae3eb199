"""fkp without a model: exit codes, one sentence on stderr, and what each command writes."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from tests.conftest import faces
from training import __version__, cli
from training.commands import info
from training.faces.labels.labels import PointState
from training.sources.exchange.export_project import EXPORT_FORMATS
from training.sources.formats.detect_format import FORMATS
from training.storage.project.project import Project
from training.storage.runs.known_speeds import REFERENCE_MACHINE


def fkp(*words: object) -> int:
    return cli.main([str(word) for word in words])


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The message on stderr: one line without a traceback."""
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text


def test_every_format_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("import", "--help") == 0
    assert f"--format {{{','.join(FORMATS)}}}" in capsys.readouterr().out
    assert fkp("export", "--help") == 0
    assert f"--format {{{','.join((*EXPORT_FORMATS, 'onnx', 'model'))}}}" in capsys.readouterr().out


def test_every_command_is_in_the_table_and_has_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    files = Path(info.__file__).parent.glob("*.py")
    modules = {path.stem for path in files if "def add_arguments" in path.read_text()}
    assert {entry.module for entry in cli.COMMANDS.values()} == modules
    for name in cli.COMMANDS:
        assert fkp(name, "--help") == 0
        assert f"usage: fkp {name}" in capsys.readouterr().out
    assert fkp("--help") == 0
    assert fkp("--version") == 0
    assert f"FKP Studio {__version__}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "The following arguments are required: COMMAND. See `fkp --help`."),
        (("dance",), "invalid choice: 'dance'"),
        (("fill", "a.fkp"), "The following arguments are required: --run. See `fkp fill --help`."),
        (("info", "nowhere.fkp"), "There is no project"),
        (("import", "nowhere.csv", "a.fkp"), "nowhere.csv"),
        (("train", "nowhere.fkp", "--recipe", "ml-cnn"), "There is no project"),
        (("train", "a.fkp", "--recipe", "magic"), "There is no recipe 'magic'; the recipes are recommended"),
        (("train", "a.fkp", "--recipe", "cnn", "--set", "batch_size"), "--set takes key=value"),
        (("train", "a.fkp", "--recipe", "cnn", "--set", "magic=1"), "There is no setting 'magic'"),
        (("train", "a.fkp", "--recipe", "cnn", "--epochs", "0"), "The setting epochs must be between"),
        (("train", "a.fkp", "--recipe", "cnn", "--epochs", "1", "--minutes", "1"), "not allowed with argument"),
        (("resume", "nowhere"), "nowhere is not a run folder"),
        (("evaluate", "nowhere.fkp", "--run", "1"), "There is no project"),
        (("fill", "nowhere.fkp", "--run", "1"), "There is no project"),
        (("fill", "nowhere.fkp", "--run", "1", "--min-confidence", "7"), "must be between 0 and 1, not 7"),
        (("predict", "nowhere.png", "--model", "m", "--out", "o.csv"), "There is no file or folder nowhere.png"),
        (("demo", "a.fkp", "--samples", "0"), "--samples must be between 1 and"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_the_user_can_mend(
    words: tuple[str, ...],
    text: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert fkp(*words) == 2
    assert text in sentence(capsys)
    assert set(tmp_path.iterdir()) == before


def test_runs_that_are_not_there(project_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("evaluate", project_path, "--run", 3), ("fill", project_path, "--run", "0003-cnn-6")):
        assert fkp(*words) == 2
        assert "Its runs: none yet: train one with `fkp train`." in sentence(capsys)


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, project_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(info, "collect", interrupted)
    assert fkp("info", project_path) == 130
    assert sentence(capsys) == "Interrupted.\n"


def test_a_fault_of_ours_goes_into_the_log(
    monkeypatch: pytest.MonkeyPatch, project_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(info, "collect", lambda _: 1 / 0)
    assert fkp("info", project_path) == 1
    log = home / "state" / "fkp-studio" / "fkp.log"
    assert str(log) in sentence(capsys)
    assert "ZeroDivisionError" in log.read_text()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_full_disk_is_the_users(
    number: int, monkeypatch: pytest.MonkeyPatch, project_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/data/x")

    monkeypatch.setattr(info, "collect", full)
    assert fkp("info", project_path) == 2
    assert f"/data/x: {os.strerror(number)}" in sentence(capsys)


def test_a_closed_pipe_is_no_error(project_path: Path) -> None:
    program = "import sys; from training.cli import main; sys.exit(main(sys.argv[1:]))"
    read, write = os.pipe()
    os.close(read)
    child = subprocess.run(
        [sys.executable, "-c", program, "info", str(project_path)], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (child.returncode, child.stderr) == (141, b"")


@pytest.mark.parametrize("words", [["info"], ["--help"]])
def test_quick_commands_load_neither_torch_nor_pandas(project_path: Path, words: list[str]) -> None:
    program = """
import sys
from training.cli import main
try:
    main(sys.argv[1:])
finally:
    assert not {"torch", "pandas"} & set(sys.modules)
"""
    words = [sys.executable, "-c", program, *words, *([str(project_path)] if words == ["info"] else [])]
    assert subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_info(project_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Project.open(project_path) as project:
        labels = project.labels([1])
        labels.states[0, 9] = PointState.ABSENT
        labels.points[0, 9] = float("nan")
        project.write_labels([1], labels)
    assert fkp("info", project_path, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["samples"], facts["complete"], facts["missing_points"]) == (24, 16, 88)
    assert facts["splits"] == {"train": 18, "val": 6, "test": 0}
    assert facts["picture_sizes"] == {"96 x 96": 24}
    assert facts["keypoints"][9] == {
        "name": "right_eyebrow_outer_end",
        "labelled": 15,
        "occluded": 0,
        "absent": 1,
        "missing": 8,
    }
    assert facts["sources"] == [{"source": "training.csv", "samples": 24, "problems": 0}]
    assert fkp("info", project_path) == 0
    text = capsys.readouterr().out
    assert "complete: 16 samples; 88 points are missing" in text
    assert "right_eyebrow_outer_end        15         0       1        8" in text


def test_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("recipes", "--json") == 0
    recipes = {r["name"]: r for r in json.loads(capsys.readouterr().out)["recipes"]}
    assert {"ml-resnet", "ml-cnn", "cnn", "cnn-6"} <= set(recipes)
    assert recipes["cnn-6"]["parameters_68"] == 3_806_152  # Table 7 of the Wing paper
    assert (recipes["cnn-6"]["input"], recipes["cnn-6"]["loss"]) == ("64x64x3", "wing")
    assert recipes["cnn-6"]["paper"] is None  # the same network
    paper = recipes["cnn-6-7"]["paper"]
    assert (paper["input_size"], paper["channels"], paper["parameters_68"]) == (128, 3, 12_314_320)
    assert fkp("recipes") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[2] == "3,806,152" for line in lines if line.startswith("cnn-6 "))
    row = next(line for line in lines if line.startswith("cnn-6-7 --variant paper "))
    assert row.split()[3:6] == ["12,097,020", "12,314,320", "128x128x3"]


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fkp("demo", tmp_path / "d.fkp", "--samples", 20) == 0
    assert "20 synthetic faces" in capsys.readouterr().out
    with Project.open(tmp_path / "d.fkp") as project:
        assert len(project) == 20
    assert fkp("demo", tmp_path / "d.fkp") == 2
    assert "already exists" in sentence(capsys)


def test_import_and_export_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    pixels, labels = faces(6)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "nose_x", "nose_y"])
        for i, image in enumerate(pixels):
            cv2.imwrite(str(folder / f"{i}.png"), image)
            writer.writerow([f"{i}.png", *(f"{v:.2f}" for v in labels.points[i, 10])])
        writer.writerow(["gone.png", "1", "2"])
    project = tmp_path / "a.fkp"
    assert fkp("import", folder, project, "--format", "csv") == 0
    said = capsys.readouterr()
    assert "6 samples imported into" in said.out
    assert "1 left out:" in said.err
    assert "gone.png" in said.err
    assert fkp("info", project) == 0
    assert "gone.png" in capsys.readouterr().out
    assert fkp("export", project, tmp_path / "out.csv", "--format", "csv") == 0
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["nose_x"] for row in rows] == [f"{v:.2f}" for v in labels.points[:, 10, 0]]
    assert fkp("import", folder, project, "--format", "csv") == 0
    assert "6 images that the project already has" in capsys.readouterr().err
    assert fkp("export", project, tmp_path / "sub.csv", "--format", "submission") == 2
    assert "--lookup" in sentence(capsys)
    assert fkp("import", folder, tmp_path / "b.fkp", "--format", "pictures") == 0
    assert "6 samples imported into" in capsys.readouterr().out


def test_doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from training.commands import doctor

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_bf16_speed_up", lambda: 2.0)
    monkeypatch.setattr(doctor, "XCB_CHECK", "pass")  # a machine without a display need not have X's libraries
    assert fkp("doctor", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["healthy"]
    found = {f["name"]: f for f in report["findings"]}
    assert found["window"]["text"].startswith("Qt starts, version 6.")
    assert "2.0 times as fast" in found["bf16"]["text"]
    assert str(tmp_path) in found["this folder"]["text"]
    monkeypatch.setattr(doctor, "QT_CHECK", "import sys; sys.exit('ImportError: libEGL.so.1: cannot open')")
    assert fkp("doctor") == 1
    assert "BAD  window: ImportError: libEGL.so.1: cannot open. On Debian" in capsys.readouterr().out


def test_recipes_are_measured_when_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.learning.fit.throughput.measure_speed.__kwdefaults__", {"seconds": 0.0})
    assert fkp("recipes", "--measure", "mlp", "--json") == 0
    (mlp,) = json.loads(capsys.readouterr().out)["recipes"]
    assert (mlp["name"], mlp["parameters_15"]) == ("mlp", 9217 * 500 + 501 * 30)
    assert min(mlp["speed"][key] for key in ("one", "many", "training")) > 0
    assert mlp["speed"]["where"] == "this machine"
    assert fkp("recipes", "--json") == 0  # the next listing remembers it, and names all others of the machine
    listed = {r["name"]: r["speed"] for r in json.loads(capsys.readouterr().out)["recipes"]}
    assert listed.pop("mlp") == mlp["speed"]
    assert all(s["where"] == REFERENCE_MACHINE and s["one"] > 0 and s["training"] > 0 for s in listed.values())
    assert fkp("recipes", "--measure", "magic") == 2
    assert "no recipe 'magic'" in capsys.readouterr().err
