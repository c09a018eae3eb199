"""A further face of a photo that a project has, where a person drew its box: a new sample, and a step of the journal.

Samples keep their numbers for good. So the new one is there from the start as if it were removed, and the step puts it in: undo
takes it out again.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from training.assist.filling.accept import Accepted
from training.errors import UserError
from training.faces.images.crops import box_fault, same_square, square_crop
from training.faces.labels.labels import Labels
from training.faces.labels.samples import FLAG_NO_FACE, SampleBatch
from training.sources.formats.csv_folder import face_name
from training.storage.project.columns import REMOVED, read_splits
from training.storage.project.edits.cut_again import cut_again, faces_of, photo_of
from training.storage.project.edits.photo_mates import join_photo
from training.storage.project.journal import StepWriter
from training.storage.project.new_samples import Importing
from training.storage.project.project import Project
from training.storage.runs.model.starters import room_for


def add_face(project: Project, sample_id: int, box: np.ndarray, *, photo: tuple[int, int]) -> Accepted:
    """Add the face in this box (x, y, width, height, px of the file) of the photo of `sample_id`, in its group and split.

    Where no face was found in the photo, the sample itself becomes this one. photo: (width, height) of the upright file.
    Raises UserError for a box that is none, lies outside the photo, or is round a face that is there.
    """
    room, sample = room_for(project.schema), project.sample(sample_id)
    if FLAG_NO_FACE in sample.flags:
        return cut_again(project, sample_id, box, photo=photo)
    fault = box_fault(box, photo, padding=room)
    if fault:
        raise UserError(f"The face cannot be cut out: {fault}; draw it again.")
    crop, path = square_crop(box, room), photo_of(project, sample_id).path
    with project.database.transaction():
        there = faces_of(project, sample_id)
        ids = np.array(list(there), np.int64)
        gone = dict(zip(ids.tolist(), (read_splits(project.database, ids) == REMOVED).tolist(), strict=True))
        if any(not gone[number] and same_square(crop, other) for number, other in there.items() if other):
            raise UserError("This face is in the project already: the box is about that of another face of the photo.")
        number = _insert(project, sample_id, path, crop, box)
        join_photo(project.database, number, ids)
        return _put_in(project, number)


def _insert(project: Project, sample_id: int, path: Path, crop: tuple[int, int, int], box: np.ndarray) -> int:
    """The number of the new sample, which belongs to the import that the photo came with."""
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
    """The next of a.jpg, a#2.jpg... that is no sample's."""
    picture, number = (PurePosixPath(project.sample(sample_id).name).parent / path.name).as_posix(), 2
    while project.database.one("SELECT 1 FROM samples WHERE name = ?", (face_name(picture, number),)):
        number += 1
    return face_name(picture, number)


def _put_in(project: Project, number: int) -> Accepted:
    ids = np.array([number], np.int64)
    split = read_splits(project.database, ids)
    writer = StepWriter(project.database, "add a face")
    writer.write_splits(ids, np.array([REMOVED], np.uint8), split)
    writer.finish()
    return Accepted(0, ids, writer.id)
