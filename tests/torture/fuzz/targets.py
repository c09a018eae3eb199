"""The table of what is spoiled: from which valid files, which of them, how, and what reads them afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.torture.fuzz import reading, valid
from tests.torture.fuzz.mangle import Mangle, mangle_bytes, mangle_head, mangle_text
from tests.torture.fuzz.mangle_images import bomb
from tests.torture.fuzz.mangle_values import (
    foreign_database,
    mangle_json,
    mangle_lines_of_json,
    mangle_safetensors,
    mangle_sql,
    mangle_zip,
)
from tests.torture.fuzz.valid import RUN_FOLDER, SEARCH_FOLDER, Files

Read = Callable[[Path], object]
IMAGE_FORMATS = (".png", ".jpg", ".webp", ".tiff", ".bmp", ".pgm", ".gif", ".ppm")


@dataclass(frozen=True)
class Target:
    """files: valid ones. which: a pattern for the names of those that are spoiled. how: one of these is drawn."""

    files: Callable[[], Files]
    which: str
    how: Sequence[Mangle]
    read: Read

    def names(self) -> list[str]:
        return sorted(name for name in self.files() if re.fullmatch(self.which, name))


def _imported(source: str, *options: str) -> Read:
    return lambda folder: reading.imported(folder, source, *options)


def _images(suffix: str) -> Target:
    files = partial(valid.table, suffix, all_columns=False)
    return Target(files, rf"n\d\{suffix}", (mangle_bytes, mangle_bytes, mangle_head, bomb), _imported("labels.csv"))


def _of_run(name: str, *how: Mangle, read: Read = reading.run_folder) -> Target:
    return Target(valid.trained, f"{RUN_FOLDER}/{name}", how, read)


_TEXT = (mangle_text, mangle_bytes)
_PTS = _imported("src", "--format", "pts")

PARTS: dict[str, dict[str, Target]] = {
    "tables": {
        "kaggle csv": Target(valid.kaggle, r"training\.csv", _TEXT, _imported("training.csv")),
        "csv": Target(valid.table, r"labels\.csv", _TEXT, _imported("labels.csv")),
        "csv, cropped": Target(valid.table, r"labels\.csv", _TEXT, _imported("labels.csv", "--crop", "box")),
        "csv into a project": Target(
            valid.table_and_project,
            r"labels\.csv|n\d\.png",
            _TEXT,
            lambda folder: reading.imported_into(folder, "labels.csv"),
        ),
        "pts": Target(valid.pts, r"src/n\d\.pts", _TEXT, _PTS),
        "persons.csv": Target(valid.pts, r"src/persons\.csv", _TEXT, _PTS),
        "keypoints.json": Target(valid.pts, r"src/keypoints\.json", (mangle_json,), _PTS),
        "IdLookupTable.csv": Target(valid.lookup, r"look\.csv", _TEXT, reading.submission),
    },
    "images": {
        **{f"image {suffix}": _images(suffix) for suffix in IMAGE_FORMATS},
        "video .avi": Target(
            partial(valid.video, ".avi", "MJPG"), r"v\.avi", (mangle_bytes, mangle_head), reading.video
        ),
        "video .mp4": Target(
            partial(valid.video, ".mp4", "mp4v"), r"v\.mp4", (mangle_bytes, mangle_head), reading.video
        ),
    },
    "projects": {
        "project.db, bytes": Target(
            valid.project,
            r"p\.fkp/project\.db",
            (mangle_bytes, mangle_bytes, mangle_head, foreign_database),
            reading.project,
        ),
        "project.db, content": Target(valid.project, r"p\.fkp/project\.db", (mangle_sql,), reading.project),
        "pixels": Target(valid.project, r"p\.fkp/pixels/.*npy", (mangle_head, mangle_bytes), reading.project),
        "poses.csv": Target(valid.project, r"p\.fkp/poses\.csv", _TEXT, reading.poses),
    },
    "runs": {
        "config.json": _of_run(r"config\.json", mangle_json),
        "labels.npz": _of_run(r"labels\.npz", mangle_zip),
        "fill.npz": _of_run(r"fill\.npz", mangle_zip),
        "events.jsonl": _of_run(r"events\.jsonl", mangle_bytes, mangle_text, mangle_lines_of_json),
        "balance, adjust, predicted": _of_run(r"(balance\.json|adjust\.json|predicted)", mangle_json),
        "resume.pt": _of_run(r"resume\.pt", mangle_zip, mangle_bytes, read=reading.saved_state),
        "model.safetensors": Target(valid.starter, r"model\.safetensors", (mangle_safetensors,), reading.model),
        "pretrained .pth": Target(valid.weights, r"w\.pth", (mangle_zip, mangle_bytes), reading.pretrained),
        "search files": Target(valid.searched, rf"{SEARCH_FOLDER}/.*json", (mangle_json,), reading.search),
    },
}
