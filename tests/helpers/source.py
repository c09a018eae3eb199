"""A small folder of images with a CSV: real faces if available, else drawn ones."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import cv2

from tests.conftest import faces
from training.faces.labels.schema import KAGGLE_15

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "faces15"
TRAIN, VAL = 120, 40


def make_source(folder: Path) -> Path:
    """Write and return the folder: 120 train faces, most with 4 of 15 points, and 40 complete val faces."""
    (folder / "images").mkdir(parents=True)
    if REAL.is_dir():
        _real(folder)
    else:
        _drawn(folder)
    return folder


def _real(folder: Path) -> None:
    with (REAL / "labels.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        names, rows = list(reader.fieldnames or ()), list(reader)
    chosen = [r for r in rows if r["split"] == "train"][:TRAIN] + [r for r in rows if r["split"] == "val"][:VAL]
    for row in chosen:
        shutil.copy(REAL / "images" / row["image"], folder / "images" / row["image"])
    _write(folder, names, chosen)


def _drawn(folder: Path) -> None:
    images, labels = faces(TRAIN + VAL)
    rows = []
    for i, image in enumerate(images):
        cv2.imwrite(str(folder / "images" / f"{i:05d}.png"), image)
        cells = ["" if v != v else f"{v:.3f}" for v in labels.points[i].ravel()]
        head = {"image": f"{i:05d}.png", "person": f"p{i}", "split": "train" if i < TRAIN else "val"}
        rows.append(head | dict(zip(KAGGLE_15.columns, cells, strict=True)))
    _write(folder, list(rows[0]), rows)


def _write(folder: Path, names: list[str], rows: list[dict[str, str]]) -> None:
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
