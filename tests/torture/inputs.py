"""Small label files and projects, made anew for each harness."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from tests.torture.commands import command
from training.faces.labels.labels import Labels, Origin, PointState
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.edits.change import change_labels
from training.storage.project.project import Project

SIDE = 48  # px
POINTS = len(KAGGLE_15)
RUN = "0001-ml-resnet"  # whose predictions a project holds, without a folder
TRAINING = {  # the smallest training that goes through every part of one
    "epochs": "3",
    "batch_size": "16",
    "width": "0.1",
    "input_size": "32",
    "threads": "1",
    "start_from": "",
    "precision": "float32",
    "device": "cpu",
    "schemes": "one",
}


def kaggle_csv(path: Path, rows: int, *, seed: int = 0, side: int = SIDE) -> Path:
    """Kaggle's training.csv with all points of noisy images."""
    draw = np.random.default_rng(seed)
    lines = [",".join([*KAGGLE_15.columns, "Image"])]
    for _ in range(rows):
        points = [f"{value:.4f}" for value in draw.uniform(1, side - 2, 2 * POINTS)]
        lines.append(",".join([*points, " ".join(map(str, draw.integers(0, 256, side * side)))]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def image(seed: int, *, side: int = SIDE) -> np.ndarray:
    """[side, side, 3] uint8, smooth enough for JPEG and unlike those of other seeds."""
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def encoded(seed: int, suffix: str, *, side: int = SIDE) -> bytes:
    """An image file of the format of this suffix."""
    made = image(seed, side=side)
    done, data = cv2.imencode(suffix, made[..., 0] if suffix == ".pgm" else made)
    if not done:
        raise RuntimeError(f"OpenCV cannot write {suffix}")
    return bytes(data.tobytes())


def csv_folder(folder: Path, count: int, *, seed: int = 0) -> Path:
    """A folder with images and labels.csv."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(seed)
    lines = ["image," + ",".join(KAGGLE_15.columns)]
    for n in range(count):
        (folder / f"n{n}.png").write_bytes(encoded(seed * 1000 + n, ".png"))
        lines.append(f"n{n}.png," + ",".join(f"{value:.3f}" for value in draw.uniform(2, SIDE - 3, 2 * POINTS)))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def pts_folder(folder: Path, count: int, *, seed: int = 0) -> Path:
    """A folder with images, a .pts file for each, and the names of the keypoints."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(seed)
    for n in range(count):
        (folder / f"n{n}.png").write_bytes(encoded(seed * 1000 + n, ".png"))
        (folder / f"n{n}.pts").write_text(pts_text(draw.uniform(2, SIDE - 3, (POINTS, 2))), encoding="utf-8")
    (folder / "keypoints.json").write_text(json.dumps(KAGGLE_15.to_json()), encoding="utf-8")
    return folder


def pts_text(points: np.ndarray) -> str:
    body = "\n".join(f"{x:.3f} {y:.3f}" for x, y in points)
    return f"version: 1\nn_points: {len(points)}\n{{\n{body}\n}}\n"


def imported(source: Path, path: Path, *options: str) -> Path:
    """A project made by `fkp import`."""
    command("import", source, path, *options)
    return path


def with_holes(path: Path, *, share: float = 0.5, seed: int = 3) -> Labels:
    """Unset this share of the points, as one step of the journal; returns the labels that are left."""
    with Project.open(path) as project:
        gone = np.random.default_rng(seed).random((len(project), POINTS)) < share
        change_labels(project, project.ids(), lambda labels: without(labels, gone), text="holes")
        return project.labels(project.ids())


def without(labels: Labels, gone: np.ndarray) -> Labels:
    """The labels with the points `gone` (bool [B, K]) unset."""
    left = labels.copy()
    left.points[gone], left.states[gone], left.origins[gone] = np.nan, PointState.UNSET, Origin.NONE
    return left


def with_predictions(path: Path, *, run: str = RUN, at: float = 20.5) -> None:
    """Predictions of a run for all points of all samples, all at one position (px)."""
    with Project.open(path) as project:
        count = len(project)
        project.write_predictions(run, project.ids(), np.full((count, POINTS, 2), at), np.full((count, POINTS), 0.9))
