"""The import step for photos that makes one sample per detected face, chunk by chunk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.errors import UserError
from training.faces.images.crops import square_crop
from training.faces.images.face_detector import ROOM, FaceDetector
from training.faces.images.reading import read_reduced
from training.faces.labels.samples import FLAG_NO_FACE, SampleBatch, face_name
from training.sources.formats.reader import Chunk
from training.words import counted

FACES = ("whole", "detect")  # how photos without labels are imported
CHUNK = 8  # images between checks for cancelling
_ENOUGH = 640  # px; larger JPEGs are decoded at a reduced size, as the detector shrinks them anyway
_WHOLE = 0.9  # of the image's shorter side: a face that fills this much is already cropped


class FaceFinder:
    """Detects the faces of photos. Photos without any are kept whole and counted."""

    def __init__(self, room: float = ROOM) -> None:
        """room: margin around each face's box, see training.faces.images.face_detector."""
        self.photos = self.faces = self.empty = 0
        self._detector, self._room = FaceDetector(), room

    def __call__(self, chunk: Chunk) -> Chunk:
        """The images replaced by samples with crop and box of each face, in the same order."""
        batch = chunk.batch
        if batch.paths is None or len(batch) == 0:
            return chunk
        found = [self._find(batch, i) for i in range(len(batch))]
        rows = np.repeat(np.arange(len(batch)), [max(1, len(crops)) for crops, _ in found])
        numbers = np.concatenate([np.arange(max(1, len(crops))) for crops, _ in found])
        taken = batch.take(rows)
        names = tuple(face_name(name, n + 1) for name, n in zip(taken.names, numbers.tolist(), strict=True))
        flags = tuple((FLAG_NO_FACE,) if len(found[i][0]) == 0 else () for i in rows.tolist())
        crops = np.concatenate([crops if len(crops) else np.zeros((1, 3), np.int64) for crops, _ in found])
        boxes = np.concatenate([boxes if len(boxes) else np.full((1, 4), np.nan) for _, boxes in found])
        new = replace(taken, names=names, flags=flags, crops=crops, boxes=boxes)
        return Chunk(new, chunk.looks[rows], chunk.given[rows])

    def notes(self) -> list[str]:
        """Remarks to report when everything is read."""
        notes = [f"{counted(self.faces, 'face')} detected in {counted(self.photos, 'image')}."]
        if self.empty:
            notes.append(
                f"{counted(self.empty, 'image')} without a detected face: kept whole and flagged; draw a box around "
                "the face there, or remove it."
            )
        return notes

    def _find(self, batch: SampleBatch, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Crops int64 [F, 3] and boxes [F, 4] of one image; a crop of side 0 is the whole image."""
        width, height = int(batch.widths[i]), int(batch.heights[i])
        by = next((by for by in (8, 4, 2) if max(width, height) >= by * _ENOUGH), 1)
        try:
            image, by = read_reduced((batch.paths or ())[i], channels=1, by=by)
        except UserError:  # it was readable a moment ago
            image = np.zeros((1, 1), np.uint8)
        boxes = np.round(self._detector.find(image) * by, 2)  # px
        self.photos += 1
        self.faces += len(boxes)
        self.empty += not len(boxes)
        crops = np.array([square_crop(box, self._room) for box in boxes], np.int64).reshape(-1, 3)
        if (
            len(crops) == 1
            and crops[0, 2] >= _WHOLE * min(width, height)
            and max(width, height) * _WHOLE <= crops[0, 2]
        ):
            crops[:] = 0
        return crops, boxes
