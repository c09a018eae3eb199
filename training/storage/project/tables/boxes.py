"""Crops, face boxes and protocol subsets of samples; most samples have none of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.errors import UserError
from training.faces.labels.samples import SampleBatch
from training.files.json_values import parse_json
from training.storage.project.database import Database
from training.storage.project.guard import guarded
from training.storage.project.tables.packed_columns import read_rows, write_columns
from training.storage.project.tables.predictions import drop_predictions

_COLUMNS = "id, crop_x, crop_y, crop_side, box_x, box_y, box_width, box_height, subset"


@dataclass(frozen=True)
class Faces:
    """Crops, boxes and subsets of B samples.

    crops: int64 [B, 3], x, y, side in the source image; side 0: the whole file. boxes: float64 [B, 4], x, y, width,
    height in the source image, NaN if not given. subsets: "" if none.
    """

    crops: np.ndarray
    boxes: np.ndarray
    subsets: tuple[str, ...]

    @property
    def corners(self) -> np.ndarray:
        """float64 [B, 1, 2]: the offset from sample coordinates to source image coordinates."""
        return self.crops[:, None, :2].astype(np.float64)


@dataclass(frozen=True)
class Cut:
    """The part of its file that a sample shows.

    crop: x, y, side, all 0 for the whole file. box: the face's x, y, width, height in the file, None if unknown. width,
    height: of the sample, px.
    """

    id: int
    crop: tuple[int, int, int]
    box: tuple[float, float, float, float] | None
    width: int
    height: int
    flags: tuple[str, ...]

    def to_text(self) -> str:
        """JSON text, read back by `from_text`."""
        return json.dumps([self.id, self.crop, self.box, self.width, self.height, self.flags])

    @classmethod
    def from_text(cls, text: str) -> Cut:
        """The Cut of `to_text`'s JSON. Raises ValueError or TypeError for any other text."""
        i, crop, box, width, height, flags = parse_json(text)
        x, y, side = map(int, crop)
        corner = None if box is None else (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        return cls(int(i), (x, y, side), corner, int(width), int(height), tuple(map(str, flags)))


@guarded
def read_cut(database: Database, sample_id: int) -> Cut:
    """The current Cut of a sample. Raises UserError for an unknown id."""
    found = database.one("SELECT flags FROM samples WHERE id = ?", (int(sample_id),))
    if found is None:
        raise UserError(f"There is no sample number {sample_id} in {database.folder}.")
    faces, small = read_faces(database, [sample_id]), read_rows(database, sample_id - 1, sample_id)[0]
    x, y, side = faces.crops[0].tolist()
    box = faces.boxes[0]
    given = (float(box[0]), float(box[1]), float(box[2]), float(box[3])) if np.isfinite(box).all() else None
    flags = tuple(parse_json(found[0])) if found[0] else ()
    return Cut(int(sample_id), (x, y, side), given, int(small["widths"]), int(small["heights"]), flags)


@guarded
def write_cut(database: Database, cut: Cut) -> None:
    """Set a sample's Cut and drop its predictions, within the caller's transaction."""
    sql = database.sql
    crop = cut.crop if cut.crop[2] else (None,) * 3
    values = (cut.id, *crop, *(cut.box or (None,) * 4), cut.id)
    kept = "coalesce((SELECT subset FROM faces WHERE id = ?), '')"
    sql.execute(f"INSERT OR REPLACE INTO faces ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, {kept})", values)
    sql.execute("UPDATE samples SET flags = ? WHERE id = ?", (json.dumps(cut.flags) if cut.flags else "", cut.id))
    drop_predictions(database, cut.id)
    ids = np.array([cut.id], np.int64)
    write_columns(database, ids, widths=[cut.width], heights=[cut.height], flagged=[bool(cut.flags)])


def write_faces(database: Database, ids: np.ndarray, batch: SampleBatch) -> None:
    """Store a batch's crops, boxes and subsets, within the caller's transaction."""
    crops = (
        [(None,) * 3] * len(ids)
        if batch.crops is None
        else [tuple(c) if c[2] else (None,) * 3 for c in batch.crops.tolist()]
    )
    boxes = np.full((len(ids), 4), np.nan) if batch.boxes is None else batch.boxes
    subsets = batch.subsets or ("",) * len(ids)
    rows = [
        (i, *crop, *(None if value != value else value for value in box), subset)
        for i, crop, box, subset in zip(ids.tolist(), crops, boxes.tolist(), subsets, strict=True)
        if crop[2] or box[2] == box[2] or subset
    ]
    database.sql.executemany(f"INSERT INTO faces ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


@guarded
def read_crop(database: Database, sample_id: int) -> tuple[int, int, int] | None:
    """The crop of one sample; None if it shows the whole file."""
    row = database.one("SELECT crop_x, crop_y, crop_side FROM faces WHERE id = ?", (int(sample_id),))
    return (row[0], row[1], row[2]) if row and row[2] else None


@guarded
def read_faces(database: Database, ids: Sequence[int] | np.ndarray) -> Faces:
    """Crops, boxes and subsets of the samples `ids`, in that order."""
    wanted = np.asarray(ids, np.int64).reshape(-1).tolist()
    query = f"SELECT {_COLUMNS} FROM faces WHERE id IN (SELECT value FROM json_each(?))"
    found = {row[0]: row[1:] for row in database.all(query, (json.dumps(wanted),))}
    crops, boxes = np.zeros((len(wanted), 3), np.int64), np.full((len(wanted), 4), np.nan)
    for n, i in enumerate(wanted):
        if i in found:
            crops[n] = [value or 0 for value in found[i][:3]]
            boxes[n] = [np.nan if value is None else value for value in found[i][3:7]]
    return Faces(crops, boxes, tuple(found[i][7] if i in found else "" for i in wanted))
