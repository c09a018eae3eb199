"""Where in its source picture a sample's face is, and to which part of a protocol it belongs; most samples say neither."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.data.samples import SampleBatch
from training.project.database import Database

_COLUMNS = "id, crop_x, crop_y, crop_side, box_x, box_y, box_width, box_height, subset"


@dataclass(frozen=True)
class Faces:
    """Of B samples: crops int64 [B, 3] (x, y, side in the source picture; side 0: the picture is the whole file),
    boxes float64 [B, 4] (x, y, width, height in the source picture; NaN where the source gave none), subsets ("" none)."""

    crops: np.ndarray
    boxes: np.ndarray
    subsets: tuple[str, ...]

    @property
    def corners(self) -> np.ndarray:
        """float64 [B, 1, 2]: what is added to points of the samples' pictures to have points of the source pictures."""
        return self.crops[:, None, :2].astype(np.float64)


def write_faces(database: Database, ids: np.ndarray, batch: SampleBatch) -> None:
    """Keep what a batch says of crops, boxes and subsets, within the caller's transaction."""
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


def read_crop(database: Database, sample_id: int) -> tuple[int, int, int] | None:
    """The crop of one sample; None where its picture is the whole file."""
    row = database.one("SELECT crop_x, crop_y, crop_side FROM faces WHERE id = ?", (int(sample_id),))
    return (row[0], row[1], row[2]) if row and row[2] else None


def read_faces(database: Database, ids: Sequence[int] | np.ndarray) -> Faces:
    """Of the samples `ids`, in their order."""
    wanted = np.asarray(ids, np.int64).reshape(-1).tolist()
    query = f"SELECT {_COLUMNS} FROM faces WHERE id IN (SELECT value FROM json_each(?))"
    found = {row[0]: row[1:] for row in database.all(query, (json.dumps(wanted),))}
    crops, boxes = np.zeros((len(wanted), 3), np.int64), np.full((len(wanted), 4), np.nan)
    for n, i in enumerate(wanted):
        if i in found:
            crops[n] = [value or 0 for value in found[i][:3]]
            boxes[n] = [np.nan if value is None else value for value in found[i][3:7]]
    return Faces(crops, boxes, tuple(found[i][7] if i in found else "" for i in wanted))
