"""Saves video frames to a project: one image file per frame, one sample per face, the model's points as predictions."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from training.errors import UserError
from training.faces.images.crops import square_crop
from training.faces.images.face_detector import ROOM
from training.faces.labels.labels import Labels
from training.faces.labels.samples import SampleBatch, Split
from training.files.names import check_links, safe_name
from training.files.regular import read_bytes
from training.files.replacing import replacing
from training.files.sentences import RefusedFileError, writing
from training.storage.project.project import Project
from training.storage.runs.run import Run
from training.video.source import Frame
from training.video.tracking import Face

FRAMES = "frames"  # folder of the project


def save_frame(
    project: Project, frame: Frame, faces: Sequence[Face], *, video: str, run: Run | None = None
) -> np.ndarray:
    """Add the faces of a frame as train samples, in one group per video; returns the new ids, int64 [B].

    The frame is saved as PROJECT/frames/VIDEO-000123.png. run: the project's run or starter that predicted the points;
    with None, or any other model, no predictions are stored. Raises UserError if the frame was already saved.
    """
    if not faces:
        return np.zeros(0, np.int64)
    if is_saved(project, frame, video=video):
        raise UserError(f"Frame {frame.number:,} of {video} is already in {project.name}.")
    name = _name(video, frame)
    path = project.path / FRAMES / f"{name}.png"
    written = _write(path, frame.image)
    crops = np.array([square_crop(face.box, ROOM) for face in faces], np.int64)
    try:
        ids = project.add_samples(_batch(project, path, name, crops, faces, video=video), source=video)
        if run is not None and knows(project, run):
            points = np.stack([face.points for face in faces]) - crops[:, None, :2]
            project.write_predictions(run.name, ids, points, np.stack([face.confidences for face in faces]))
    except BaseException:
        if written:
            path.unlink(missing_ok=True)
        raise
    return ids


def is_saved(project: Project, frame: Frame, *, video: str) -> bool:
    """Whether the project has samples of this frame. An image without samples is what a killed process left."""
    path = project.path / FRAMES / f"{_name(video, frame)}.png"
    if not path.exists():
        return False
    ids = project.database.column("SELECT id FROM samples WHERE file = ?", (path.name,))
    places = [project.sample(int(i)).path for i in ids]
    return any(place is not None and place.exists() and place.samefile(path) for place in places)


def knows(project: Project, run: Run) -> bool:
    """Whether this is a run of the project or a starter, whose predictions the project can store."""
    return run.path.parent.resolve() == project.runs_dir.resolve() or run.is_starter


def _batch(
    project: Project, path: Path, name: str, crops: np.ndarray, faces: Sequence[Face], *, video: str
) -> SampleBatch:
    count = len(faces)
    return SampleBatch(
        names=tuple(f"{name}-{face.number}" for face in faces),
        sources=(f"{path.name}",) * count,
        labels=Labels.empty(count, len(project.schema)),
        widths=crops[:, 2].astype(np.int32),
        heights=crops[:, 2].astype(np.int32),
        groups=(f"video {video}",) * count,
        splits=np.full(count, Split.TRAIN, np.uint8),
        paths=(path.absolute(),) * count,
        crops=crops,
        boxes=np.stack([face.box for face in faces]).astype(np.float64),
    )


def _write(path: Path, image: np.ndarray) -> bool:
    """Whether it was written; False if this very image is there. Raises UserError if another one is."""
    there, encoded = cv2.imencode(".png", image[:, :, ::-1])
    if not there:
        raise UserError(f"{path}: the frame cannot be encoded as an image.")
    data = encoded.tobytes()
    with writing(path.parent):
        path.parent.mkdir(exist_ok=True)
    check_links(path.parents[1], path)
    with writing(path):
        if os.path.lexists(path):
            if _holds(path, data):
                return False
            raise UserError(
                f"{path}: another image has this name, of a frame that is not in the project; move it away."
            )
    with replacing(path) as file:
        file.write(data)
    return True


def _holds(path: Path, data: bytes) -> bool:
    with suppress(RefusedFileError):
        return read_bytes(path, limit=len(data)) == data
    return False


def _name(video: str, frame: Frame) -> str:
    """What the frame's image is called, without the suffix."""
    stem = re.sub(r"[^\w.-]+", "_", Path(video).stem)
    return f"{safe_name(stem.encode()[:60].decode(errors='ignore')) or 'video'}-{frame.number:06d}"
