"""Adds another face of a photo in the project, from a box drawn by the user: a new sample.

Sample numbers are permanent, so the new sample is first written as removed, and the step restores it; undo removes it
again.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from training.errors import UserError
from training.faces.images.crops import box_fault, same_square, square_crop
from training.faces.labels.labels import Labels
from training.faces.labels.samples import FLAG_NO_FACE, SampleBatch, face_name
from training.storage.project.edits.crop_again import crop_again, faces_of, photo_of
from training.storage.project.edits.remove import join_photo
from training.storage.project.edits.step import Edited
from training.storage.project.journal import StepWriter
from training.storage.project.new_samples import Importing
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import REMOVED, read_splits


def add_face(project: Project, sample_id: int, box: np.ndarray, *, photo: tuple[int, int], room: float) -> Edited:
    """Add the face in this box (x, y, width, height, px of the file) of the photo of `sample_id`, in its group and
    split.

    If no face had been detected in the photo, the sample itself becomes this face. photo: (width, height) of the upright
    file. room: margin on each side, as a share of the box's longer side. Raises UserError if the box is invalid,
    outside the photo, or around an existing face.
    """
    if FLAG_NO_FACE in project.sample(sample_id).flags:
        return crop_again(project, sample_id, box, photo=photo, room=room)
    fault = box_fault(box, photo, padding=room)
    if fault:
        raise UserError(f"The face cannot be cropped: {fault}; draw the box again.")
    crop, path = square_crop(box, room), photo_of(project, sample_id).path
    with project.database.transaction():
        there = faces_of(project, sample_id)
        ids = np.array(list(there), np.int64)
        gone = dict(zip(ids.tolist(), (read_splits(project.database, ids) == REMOVED).tolist(), strict=True))
        if any(not gone[number] and same_square(crop, other) for number, other in there.items() if other):
            raise UserError(
                "This face is already in the project: the box nearly matches that of another face in the photo."
            )
        number = _insert(project, sample_id, path, crop, box)
        join_photo(project.database, number, ids)
        return _put_in(project, number)


def _insert(project: Project, sample_id: int, path: Path, crop: tuple[int, int, int], box: np.ndarray) -> int:
    """Insert the new sample into the photo's import; returns its number."""
    row = project.database.one("SELECT import, source FROM samples WHERE id = ?", (sample_id,)) or (0, "")
    batch = SampleBatch(
        names=(_free_name(project, sample_id, path),),
        sources=(row[1],),
        labels=Labels.empty(1, len(project.schema)),
        widths=np.array([crop[2]], np.int32),
        heights=np.array([crop[2]], np.int32),
        groups=("",),
        splits=np.array([REMOVED], np.uint8),
        paths=(path,),
        crops=np.array([crop], np.int64),
        boxes=np.asarray(box, np.float64).reshape(1, 4),
    )
    importing = Importing(project.database, row[1], keypoints=len(project.schema), joins=row[0])
    ids = importing.add_samples(batch)
    importing.finish()
    return int(ids[0])


def _free_name(project: Project, sample_id: int, path: Path) -> str:
    """The first of a.jpg, a#2.jpg, ... that is not taken."""
    image, number = (PurePosixPath(project.sample(sample_id).name).parent / path.name).as_posix(), 2
    while project.database.one("SELECT 1 FROM samples WHERE name = ?", (face_name(image, number),)):
        number += 1
    return face_name(image, number)


def _put_in(project: Project, number: int) -> Edited:
    ids = np.array([number], np.int64)
    split = read_splits(project.database, ids)
    writer = StepWriter(project.database, "add a face")
    writer.write_splits(ids, np.array([REMOVED], np.uint8), split)
    writer.finish()
    return Edited(0, ids, writer.id)
