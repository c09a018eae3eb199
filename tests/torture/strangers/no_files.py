"""Names of files that are pipes, devices or links to them, and tables of too many columns: refused or left out, soon."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.torture import inputs
from tests.torture.commands import command
from tests.torture.forked import in_fork
from tests.torture.fuzz import reading
from tests.torture.fuzz.valid import RUN_FOLDER
from tests.torture.outcome import Outcome
from training.storage.project.project import Project
from training.storage.runs.new_run import create_run
from training.storage.runs.settings.config import with_overrides
from training.storage.runs.settings.recipes import recipe_config

SECONDS = 20.0
KINDS = ("pipe", "endless")
_ADDRESSES = 3 << 30  # bytes
_MEMORY = 500  # MB
_COLUMNS = 8000
_OF_CSV, _OF_PTS = ("n3.png", "labels.csv"), ("n3.png", "n3.pts", "keypoints.json", "persons.csv")


def attack(folder: Path, outcome: Outcome) -> None:
    project = inputs.imported(inputs.kaggle_csv(folder / "training.csv", 24), folder / "p.fkp")
    with Project.open(project) as opened:
        create_run(opened, with_overrides(recipe_config("fast"), inputs.TRAINING))
    wide = partial(command, "import", _wide(folder), folder / "wide.fkp")
    _judge(outcome, wide, f"a table of {_COLUMNS:,} columns")
    for kind in KINDS:
        for names, make, how in ((_OF_CSV, inputs.csv_folder, "csv"), (_OF_PTS, inputs.pts_folder, "pts")):
            for name in names:
                source = make(folder / f"{kind}-{how}-{name}", 4)
                _put(source / name, kind)
                imported = partial(command, "import", source, folder / f"{source.name}.fkp", "--format", how)
                _judge(outcome, imported, f"{name} of {how} that is {kind}")
        for name, work in _given(folder, project).items():
            _put(folder / name, kind)
            _judge(outcome, work, f"{name} that is {kind}")
        for name, read in _OF_PROJECT.items():
            case = folder / "case"
            shutil.copytree(project, case / project.name)
            _put(case / "p.fkp" / name, kind)
            _judge(outcome, partial(read, case), f"{name} of a project that is {kind}")
            shutil.rmtree(case)


def _given(folder: Path, project: Path) -> dict[str, Callable[[], object]]:
    """Files that are named on the command line, and the commands."""
    out = folder / "out.csv"
    return {
        "look.csv": partial(command, "export", project, out, "--format", "submission", "--lookup", folder / "look.csv"),
        "w.safetensors": partial(command, "predict", project, "--model", folder / "w.safetensors", "--out", out),
        "v.mp4": partial(command, "predict", folder / "v.mp4", "--model", "starter-15", "--out", out),
    }


def _fill(case: Path) -> None:
    command("fill", case / "p.fkp", "--run", "1")


_RUN = RUN_FOLDER.removeprefix("p.fkp/")
_OF_PROJECT: dict[str, Callable[[Path], object]] = {
    "project.db": reading.project,
    "pixels/0001.npy": reading.project,
    "poses.csv": reading.poses,
    **dict.fromkeys([f"{_RUN}/{name}" for name in ("config.json", "labels.npz", "events.jsonl")], reading.run_folder),
    **dict.fromkeys([f"{_RUN}/{name}" for name in ("balance.json", "adjust.json", "fill.npz")], reading.run_folder),
    f"{_RUN}/resume.pt": reading.saved_state,
    f"{_RUN}/model.safetensors": _fill,
}


def _put(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")


def _wide(folder: Path) -> Path:
    source = folder / "wide"
    source.mkdir()
    (source / "n0.png").write_bytes(inputs.encoded(0, ".png"))
    names = ",".join(f"k{n}_x,k{n}_y" for n in range(_COLUMNS // 2))
    (source / "labels.csv").write_text(f"image,{names}\nn0.png,{','.join(['1'] * _COLUMNS)}\n", encoding="utf-8")
    return source


def _judge(outcome: Outcome, work: Callable[[], object], case: str) -> None:
    fate = in_fork(work, seconds=SECONDS, addresses=_ADDRESSES)
    wrong = [] if fate.kind in ("ok", "sentence") else [f"{fate.kind}: {fate.words}"]
    wrong += [f"took {fate.grew} MB"] if fate.grew > _MEMORY else []
    outcome.row("what is no file, or too wide").add(fate.kind, wrong, case=case)
