"""Small valid inputs of each kind, as {relative name: bytes}: what is spoiled afterwards."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tests.torture import inputs
from tests.torture.inputs import POINTS, encoded
from training.faces.labels.labels import Labels
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.edits.change import change_labels
from training.storage.project.edits.move import move_to_split
from training.storage.project.project import Project

if TYPE_CHECKING:
    import torch

Files = dict[str, bytes]
RUN_FOLDER = "p.fkp/runs/0001-fast"
SEARCH_FOLDER = "p.fkp/searches/one"
STARTER = Path(__file__).parents[3] / "resources" / "starters" / "face-15.safetensors"


def write(folder: Path, files: Files) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def made(make: Callable[[Path], object]) -> Files:
    """All files that `make` leaves in a folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        return {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.is_file() and not file.name.endswith(("-wal", "-shm"))
        }


@cache
def kaggle() -> Files:
    return made(lambda folder: inputs.kaggle_csv(folder / "training.csv", 8, side=12))


@cache
def table(suffix: str = ".png", *, all_columns: bool = True) -> Files:
    """labels.csv with images of this format; with all_columns also people, splits, boxes and states."""
    draw, side = np.random.default_rng(2), 32
    states = [f"{name}_state" for name in KAGGLE_15.keypoints[:3]]
    more = ["person", "split", "box_x", "box_y", "box_w", "box_h", *states] if all_columns else []
    lines, files = [",".join(["image", *more, *KAGGLE_15.columns])], {}
    for n in range(6):
        files[f"n{n}{suffix}"] = encoded(n, suffix, side=side)
        cells = [f"p{n // 2}", "train" if n else "val", "2", "2", "20", "20", *["visible"] * len(states)]
        points = [f"{value:.3f}" for value in draw.uniform(3, side - 3, 2 * POINTS)]
        lines.append(",".join([f"n{n}{suffix}", *(cells if all_columns else []), *points]))
    return {"labels.csv": "\n".join(lines).encode() + b"\n", **files}


@cache
def table_and_project() -> Files:
    """The table, and a project of other faces to import it into."""

    def make(folder: Path) -> None:
        source = inputs.kaggle_csv(folder / "training.csv", 5, side=12)
        inputs.imported(source, folder / "there.fkp")

    return table() | made(make)


@cache
def pts() -> Files:
    def make(folder: Path) -> None:
        inputs.pts_folder(folder / "src", 4, seed=3)
        people = "image,person\n" + "".join(f"n{n}.png,p{n // 2}\n" for n in range(4))
        (folder / "src" / "persons.csv").write_text(people, encoding="utf-8")

    return made(make)


@cache
def project() -> Files:
    """Six faces with predictions, steps of every kind in the journal, missing points, and poses."""

    def make(folder: Path) -> None:
        path = inputs.imported(inputs.kaggle_csv(folder / "training.csv", 6, side=12), folder / "p.fkp")
        inputs.with_predictions(path, at=5.5)
        with Project.open(path) as opened:
            for n in range(3):
                change_labels(opened, opened.ids()[n : n + 2], partial(_moved, keypoint=n), text=f"move {n}")
            move_to_split(opened, opened.ids()[:2], 2)
            gone = np.tile(np.arange(POINTS) == 9, (len(opened), 1))
            change_labels(opened, opened.ids(), lambda labels: inputs.without(labels, gone), text="unset")
        rows = "".join(f"training-{n:05d},{n},0,0\n" for n in range(1, 7))
        (path / "poses.csv").write_text("sample,yaw,pitch,roll\n" + rows, encoding="utf-8")

    return made(make)


def _moved(labels: Labels, *, keypoint: int) -> Labels:
    moved = labels.copy()
    moved.points[:, keypoint] += 1
    return moved


@cache
def trained() -> Files:
    """A project with a run that ended, and all that a run's folder can hold."""

    def make(folder: Path) -> None:
        path = inputs.imported(inputs.kaggle_csv(folder / "training.csv", 40, side=24), folder / "p.fkp")
        settings = [f"{key}={value}" for key, value in inputs.TRAINING.items() if key != "epochs"]
        _fkp("train", path, "--recipe", "fast", "--epochs", 2, "--set", *settings, "balance=pose")
        run = folder / RUN_FOLDER
        offset = {"format": 1, "offset": [[0.1, 0.2]] * POINTS, "faces": 30, "before": 2.0, "after": 1.5}
        (run / "adjust.json").write_text(json.dumps(offset), encoding="utf-8")
        (run / "predicted").write_text('"abc"', encoding="utf-8")

    return made(make)


@cache
def searched() -> Files:
    """A project with a random search of one trial."""

    def make(folder: Path) -> None:
        path = inputs.imported(inputs.kaggle_csv(folder / "training.csv", 20, side=12), folder / "p.fkp")
        _fkp("search", path, "--recipe", "mlp", "--name", "one", "--trials", 1, "--epochs", 1, "--set", "threads=1")

    return made(make)


def _fkp(*words: object) -> None:
    """A command in a process of its own, since a training changes the one that it runs in."""
    command = [sys.executable, "-m", "training.cli", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"fkp {words[0]} ended with {done.returncode}: {done.stderr[-1000:]}")


@cache
def starter() -> Files:
    return {"model.safetensors": STARTER.read_bytes()}


@cache
def weights() -> Files:
    """A .pth file with the weights of `small_network`."""
    import torch

    out = io.BytesIO()
    torch.save(small_network(3).state_dict(), out)
    return {"w.pth": out.getvalue()}


def small_network(channels: int) -> torch.nn.Module:
    """The first layers of a network that can start from weights made elsewhere."""
    import torch

    layers = OrderedDict(conv1=torch.nn.Conv2d(channels, 8, 3), bn1=torch.nn.BatchNorm2d(8))
    return torch.nn.Sequential(layers)


@cache
def lookup() -> Files:
    """Kaggle's IdLookupTable.csv, and a project of six labelled test images."""

    def make(folder: Path) -> None:
        draw = np.random.default_rng(1)
        rows = [f"{n},{' '.join(map(str, draw.integers(0, 256, 144)))}" for n in range(1, 7)]
        (folder / "test.csv").write_text("\n".join(["ImageId,Image", *rows]) + "\n", encoding="utf-8")
        path = inputs.imported(folder / "test.csv", folder / "p.fkp")
        with Project.open(path) as opened:
            placed = Labels.from_points(np.full((6, POINTS, 2), 5.0))
            change_labels(opened, opened.ids(), lambda _: placed, text="all")

    rows = [f"{n + 1},{n // 3 + 1},{KAGGLE_15.keypoints[n % POINTS]}_{'xy'[n % 2]}," for n in range(18)]
    return made(make) | {"look.csv": "\n".join(["RowId,ImageId,FeatureName,Location", *rows]).encode() + b"\n"}


@cache
def video(suffix: str, codec: str) -> Files:
    def make(folder: Path) -> None:
        out = cv2.VideoWriter(str(folder / f"v{suffix}"), cv2.VideoWriter.fourcc(*codec), 10, (64, 48))
        for n in range(12):
            out.write(np.full((48, 64, 3), n * 20, np.uint8))
        out.release()

    return made(make)
