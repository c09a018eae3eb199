"""Makes small files in common formats for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Labels
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.project import Project

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
HEADER = [*KAGGLE_15.columns, "Image"]


def textures(count: int, *, side: int = 12, seed: int = 0) -> np.ndarray:
    """Images uint8 [count, side, side] that do not resemble each other."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (count, 4, 4)).astype(np.uint8)
    return np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in small])


def kaggle_cells(count: int, *, side: int = 12, seed: int = 0) -> list[list[str]]:
    """Rows of training.csv as cells; every third has only four keypoints."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, image in enumerate(textures(count, side=side, seed=seed)):
        labels = [f"{v:.{3 + i % 8}f}" for v in rng.uniform(1, side - 2, 30)]
        if i % 3 == 0:
            labels = [text if k // 2 in (0, 1, 10, 14) else "" for k, text in enumerate(labels)]
        rows.append([*labels, " ".join(str(v) for v in image.ravel())])
    return rows


def write_rows(path: Path, rows: Sequence[Sequence[str]], *, header: Sequence[str] = HEADER, end: str = "\n") -> Path:
    """Write these cells unchanged as a CSV."""
    text = end.join(",".join(row) for row in [header, *rows]) + end
    path.write_bytes(text.encode())
    return path


def training_csv(folder: Path, count: int = 10, *, side: int = 12) -> Path:
    """A valid training.csv."""
    return write_rows(folder / "training.csv", kaggle_cells(count, side=side))


def write_image(path: Path, image: np.ndarray) -> Path:
    """Write an image file in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix, image)
    assert done
    path.write_bytes(data.tobytes())
    return path


def csv_folder(
    folder: Path, count: int = 6, *, extra: Sequence[str] = (), values: Sequence[Sequence[str]] = ()
) -> Path:
    """`folder`/labels.csv with images in images/, two keypoints, and extra columns with their values per row."""
    rng = np.random.default_rng(1)
    header = ["image", *extra, "left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y"]
    rows = []
    for i, image in enumerate(textures(count, side=20)):
        write_image(folder / "images" / f"{i}.png", image)
        cells = [f"{v:.3f}" for v in rng.uniform(2, 17, 4)]
        rows.append([f"{i}.png", *(values[i] if values else []), *cells])
    write_rows(folder / "labels.csv", rows, header=header)
    return folder


def all_labels(project: Project) -> Labels:
    """Everything a project stores."""
    return project.labels(project.ids())


def names_in(folder: Path) -> set[str]:
    """The contents of a folder, including hidden files."""
    return {path.name for path in folder.iterdir()}


def sentence_of(error: UserError) -> str:
    """The message of an error, which must be one sentence on one line."""
    text = str(error)
    assert "\n" not in text and text.endswith(".")
    return text
