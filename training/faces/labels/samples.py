"""Values passed between readers, the import pipeline and the project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from training.faces.labels.labels import Labels


class Split(IntEnum):
    """The split that a sample belongs to, as stored in `SampleBatch.splits`."""

    TRAIN = 0
    VAL = 1
    TEST = 2

    @property
    def word(self) -> str:
        return self.name.lower()


FLAG_OUTSIDE = "outside"  # a keypoint is outside the image
FLAG_NO_FACE = "no_face"  # a photo in which no face was detected
FLAG_HALF_POINT = "half_point"  # only x or only y was given; the point is left unset


@dataclass(frozen=True)
class SampleBatch:
    """B samples on their way into a project; every sequence has B entries.

    names: unique within a project. sources: where each came from, for display and export: `training.csv#12` (data row
    12), `test.csv#ImageId=5`, `helen/trainset/1.pts`. Images are either pixels (uint8 [B, H, W], the same H and W in
    all batches of one import) or absolute paths. widths, heights: int32 [B], pixels, after EXIF orientation. groups:
    person, photo or near-duplicates; "" is a sample in no group. splits: uint8 [B], `Split`. source_cells: per sample
    its 2K label cells as text exactly as in the file (x0, y0, x1, ...), or None. flags: per sample the FLAG_ values
    found by the reader. crops: int64 [B, 3], x, y, side of the square of the file that is the sample's image, side 0
    for the whole file; widths, heights and points then refer to the crop. boxes: float64 [B, 4], the face's x, y,
    width, height in the file as given by the source, else NaN. subsets: the part of a protocol's data ("helen",
    "frontal"), "" for none.
    """

    names: tuple[str, ...]
    sources: tuple[str, ...]
    labels: Labels
    widths: np.ndarray
    heights: np.ndarray
    groups: tuple[str, ...]
    splits: np.ndarray
    pixels: np.ndarray | None = None
    paths: tuple[Path, ...] | None = None
    source_cells: tuple[tuple[str, ...], ...] | None = None
    flags: tuple[tuple[str, ...], ...] = ()
    crops: np.ndarray | None = None
    boxes: np.ndarray | None = None
    subsets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parts: list[Sequence[object] | np.ndarray | Labels] = [
            self.sources,
            self.labels,
            self.widths,
            self.heights,
            self.groups,
            self.splits,
        ]
        optional = (
            self.pixels,
            self.paths,
            self.source_cells,
            self.flags or None,
            self.crops,
            self.boxes,
            self.subsets or None,
        )
        parts += [part for part in optional if part is not None]
        if any(len(part) != len(self.names) for part in parts):
            raise ValueError("the parts of a SampleBatch must have the same length")
        if (self.pixels is None) == (self.paths is None):
            raise ValueError("a SampleBatch has either pixels or paths")

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: np.ndarray) -> SampleBatch:
        """The batch reduced to these rows."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        taken: dict[str, Any] = {
            name: tuple(part[i] for i in rows.tolist()) if isinstance(part, tuple) else part[rows]
            for name, part in parts.items()
            if part is not None and len(part)
        }
        return replace(self, **taken)


def face_name(image: str, number: int) -> str:
    """The sample's name of an image's n-th face: a.jpg, a#2.jpg, ..."""
    path = PurePosixPath(image)
    return image if number == 1 else image[: len(image) - len(path.suffix)] + f"#{number}{path.suffix}"
