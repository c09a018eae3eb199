"""Crops a face again from its photo: labels keep their place, predictions are deleted.

Models see one square crop of a photo. If that was detected wrongly, or not at all, the user draws the face's box.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.faces.images.crops import box_fault, square_crop
from training.faces.labels.samples import FLAG_NO_FACE
from training.storage.project.edits.step import Edited
from training.storage.project.journal import StepWriter
from training.storage.project.project import Project
from training.storage.project.tables.boxes import Cut, read_cut
from training.storage.project.tables.packed_columns import REMOVED, read_splits


@dataclass(frozen=True)
class Photo:
    """A sample's image file. crop: of the sample, None for the whole file; others: crops of its other faces."""

    path: Path
    crop: tuple[int, int, int] | None
    others: tuple[tuple[int, int, int], ...]


def photo_of(project: Project, sample_id: int) -> Photo:
    """The photo that a sample was cropped from. Raises UserError if its pixels are stored in the project."""
    path = project.sample(sample_id).path
    if path is None:
        raise UserError(
            "This face's image is stored in the project, not cropped from a photo, so it cannot be cropped again."
        )
    there = faces_of(project, sample_id)
    ids = np.array(list(there), np.int64)
    kept = ids[read_splits(project.database, ids) != REMOVED].tolist()
    others = (there[number] for number in kept if number != sample_id)
    return Photo(path, there[int(sample_id)], tuple(crop for crop in others if crop))


def faces_of(project: Project, sample_id: int) -> dict[int, tuple[int, int, int] | None]:
    """All samples of this sample's image file, including removed ones, ascending: id -> crop, None: the whole file."""
    rows = project.database.all(
        "SELECT t.id, f.crop_x, f.crop_y, f.crop_side FROM samples s "
        "JOIN samples t ON s.folder = t.folder AND s.file = t.file "
        "LEFT JOIN faces f ON f.id = t.id WHERE s.id = ? ORDER BY t.id",
        (int(sample_id),),
    )
    return {number: (x, y, side) if side else None for number, x, y, side in rows}


def crop_again(project: Project, sample_id: int, box: np.ndarray, *, photo: tuple[int, int], room: float) -> Edited:
    """Crop a sample by the face's box (x, y, width, height, px of its file).

    photo: (width, height) of the upright file. room: margin on each side, as a share of the box's longer
    side. Raises UserError if the box is invalid or outside the photo.
    """
    fault = box_fault(box, photo, padding=room)
    if fault:
        raise UserError(f"The face cannot be cropped: {fault}; draw the box again.")
    ids = np.array([sample_id], np.int64)
    with project.database.transaction():
        before, labels = read_cut(project.database, sample_id), project.labels(ids)
        crop = square_crop(box, room)
        x, y, width, height = (float(value) for value in box)
        flags = tuple(flag for flag in before.flags if flag != FLAG_NO_FACE)
        after = Cut(int(sample_id), crop, (x, y, width, height), crop[2], crop[2], flags)
        moved = replace(labels, points=labels.points + np.subtract(before.crop[:2], crop[:2]))
        writer = StepWriter(project.database, "draw the face's box")
        writer.write(ids, labels, moved)
        writer.write_cut(before, after)
        writer.finish()
    return Edited(0, ids, writer.id)
