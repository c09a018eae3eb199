"""A face cut anew out of its picture: a step of the journal. Its labels keep their place in the picture; predictions go.

What models see of a photograph is one square of it. Where that was found wrongly, or not at all, a person draws the face's box.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.assist.filling.accept import Accepted
from training.errors import UserError
from training.faces.images.crops import box_fault, square_crop
from training.faces.labels.samples import FLAG_NO_FACE
from training.storage.project.boxes import Cut, read_cut
from training.storage.project.columns import REMOVED, read_splits
from training.storage.project.journal import StepWriter
from training.storage.project.project import Project
from training.storage.runs.model.starters import room_for


@dataclass(frozen=True)
class Photo:
    """The picture file of a sample. crop: of the sample in it, None where it is the whole file; others: of its other faces."""

    path: Path
    crop: tuple[int, int, int] | None
    others: tuple[tuple[int, int, int], ...]


def photo_of(project: Project, sample_id: int) -> Photo:
    """Where a sample's face was cut out. Raises UserError for one whose pixels are kept in the project."""
    path = project.sample(sample_id).path
    if path is None:
        raise UserError(
            "This face is a picture of the project's own, not a part of a photo: there is nothing to cut it from."
        )
    there = faces_of(project, sample_id)
    ids = np.array(list(there), np.int64)
    kept = ids[read_splits(project.database, ids) != REMOVED].tolist()
    others = (there[number] for number in kept if number != sample_id)
    return Photo(path, there[int(sample_id)], tuple(crop for crop in others if crop))


def faces_of(project: Project, sample_id: int) -> dict[int, tuple[int, int, int] | None]:
    """The samples of this one's picture file, removed ones included, ascending: number -> crop, None for the whole file."""
    rows = project.database.all(
        "SELECT t.id, f.crop_x, f.crop_y, f.crop_side FROM samples s JOIN samples t ON s.folder = t.folder AND s.file = t.file "
        "LEFT JOIN faces f ON f.id = t.id WHERE s.id = ? ORDER BY t.id",
        (int(sample_id),),
    )
    return {number: (x, y, side) if side else None for number, x, y, side in rows}


def cut_again(project: Project, sample_id: int, box: np.ndarray, *, photo: tuple[int, int]) -> Accepted:
    """Cut a sample by the face's box (x, y, width, height, px of its file), with the room that models expect: one step.

    photo: (width, height) of the upright file. Raises UserError for a box that is none, or lies outside it.
    """
    room = room_for(project.schema)
    fault = box_fault(box, photo, padding=room)
    if fault:
        raise UserError(f"The face cannot be cut out: {fault}; draw it again.")
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
    return Accepted(0, ids, writer.id)
