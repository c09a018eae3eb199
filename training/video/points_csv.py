"""Writes the points of a video's faces as a CSV with one row per face and frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from training.faces.labels.schema import KeypointSchema
from training.files.csv_text import without_formula
from training.files.replacing import replacing
from training.video.source import Frame
from training.video.tracking import Face

WriteFaces = Callable[[Frame, Sequence[Face]], None]


@contextmanager
def video_table(path: Path, schema: KeypointSchema, *, escape_formulas: bool = False) -> Iterator[WriteFaces]:
    """Yields a function that writes a frame's faces; the file appears when the block ends normally. Coordinates in
    frame px.
    """
    with replacing(path) as binary:
        file = io.TextIOWrapper(binary, newline="", encoding="utf-8")
        writer = csv.writer(file)
        sure = [f"{name}_confidence" for name in schema.keypoints]
        titles = ["frame", "time", "face", *schema.columns, *sure]
        writer.writerow(map(without_formula, titles) if escape_formulas else titles)
        yield lambda frame, faces: writer.writerows(_row(frame, face) for face in faces)
        file.detach()


def _row(frame: Frame, face: Face) -> list[object]:
    numbers = [*face.points.ravel().tolist(), *face.confidences.tolist()]
    return [frame.number, f"{frame.seconds:.3f}", face.number, *(f"{v:.3f}" for v in numbers)]
