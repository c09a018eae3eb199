"""Names of files that are pipes, devices or links to them, and tables of too many columns: refused or left out, soon."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

from tests.torture import inputs
from tests.torture.commands import command
from tests.torture.forked import in_fork
from tests.torture.outcome import Outcome

SECONDS = 20.0
_MEMORY = 500  # MB
_COLUMNS = 8000


def attack(folder: Path, outcome: Outcome) -> None:
    project = inputs.imported(inputs.kaggle_csv(folder / "training.csv", 3), folder / "p.fkp")
    for kind in ("pipe", "endless"):
        for name in ("n3.png", "labels.csv", "n3.pts", "keypoints.json", "persons.csv"):
            source = folder / f"{kind}-{name.replace('.', '-')}"
            (inputs.pts_folder if name[-3:] in ("pts", "son") or name == "persons.csv" else inputs.csv_folder)(
                source, 4
            )
            _put(source / name, kind)
            format_ = ["--format", "pts"] if (source / "n0.pts").exists() else []
            words = ["import", source, folder / f"{source.name}.fkp", *format_]
            _judge(outcome, words, f"{name} that is {kind}")
        lookup = folder / f"{kind}-lookup.csv"
        _put(lookup, kind)
        words = ["export", project, folder / "out.csv", "--format", "submission", "--lookup", lookup]
        _judge(outcome, words, f"--lookup that is {kind}")
        model = folder / f"{kind}.safetensors"
        _put(model, kind)
        words = ["predict", project, "--model", model, "--out", folder / "out.csv"]
        _judge(outcome, words, f"--model that is {kind}")
    _judge(outcome, ["import", _wide(folder), folder / "wide.fkp"], f"a table of {_COLUMNS:,} columns")
    shutil.rmtree(folder)


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


def _judge(outcome: Outcome, words: list[object], case: str) -> None:
    fate = in_fork(partial(command, *words), seconds=SECONDS, addresses=3 << 30)
    wrong = [] if fate.kind in ("ok", "sentence") else [f"{fate.kind}: {fate.words}"]
    wrong += [f"took {fate.grew} MB"] if fate.grew > _MEMORY else []
    outcome.row("what is no file, or too wide").add(fate.kind, wrong, case=case)
