"""Writes lists of the faces on which other predictors are compared with ours, readable from another environment.

python -m benchmarks.comparison_data [--data ../shared/data] --out DIR

A face is an image and its frame: the square of the image that a predictor sees. Points are px of the frame at 96x96,
with the centre of its first pixel at (0, 0). Four lists, each with the whole val split and `TRAIN` random train faces:
faces15, photos15: the frame is the 96x96 gray image.
colour15: the faces of faces15 as native colour crops of faces68, with the surroundings of the frame. Both folders hold
the same faces in the same order; the frame is computed from five labels that both have.
faces68: the native colour crops with all 68 points; the frame is the image.
"""

from __future__ import annotations

import argparse
import csv
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from training.faces.images.reading import read_image
from training.faces.labels.samples import Split
from training.faces.labels.schema import KeypointSchema
from training.progress import Progress
from training.sources.formats.detect_format import open_reader

SIDE = 96
TRAIN = 400
SETS = ("faces15", "photos15", "colour15", "faces68")
HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "shared" / "data"

# Points that both the 15 and the 68 have: outer corners of the eyes, corners of the mouth, tip of the nose
_IN_15, _IN_68 = [5, 3, 12, 11, 10], [36, 45, 48, 54, 30]


@dataclass(frozen=True)
class Faces:
    """N faces. paths: their images. frames: [N, 3], x, y, side in px of the image, from its left and top edge.

    points: [N, K, 2], px of the frame at 96x96; NaN without a label. groups: people. val: bool [N], the val split.
    """

    schema: KeypointSchema
    paths: tuple[Path, ...]
    frames: np.ndarray
    points: np.ndarray
    groups: np.ndarray
    val: np.ndarray

    def take(self, rows: np.ndarray) -> Faces:
        """A subset of the faces."""
        paths = tuple(self.paths[i] for i in rows)
        parts = (self.frames[rows], self.points[rows], self.groups[rows], self.val[rows])
        return Faces(self.schema, paths, *parts)

    def images(self, *, channels: int = 1) -> np.ndarray:
        """The frames as uint8 [N, 96, 96] or [N, 96, 96, 3]; areas outside an image repeat its border."""
        return np.stack(
            [
                frame_at(read_image(path, channels=channels), frame, side=SIDE)
                for path, frame in zip(self.paths, self.frames, strict=True)
            ]
        )


def frame_at(image: np.ndarray, frame: np.ndarray, *, side: int) -> np.ndarray:
    """The square `frame` of an image, resized to side x side; the image itself if it already is that."""
    x, y, size = frame
    if (x, y, size) == (0, 0, side) and image.shape[:2] == (side, side):
        return image
    scale = side / size
    matrix = np.array([[scale, 0, (0.5 - x) * scale - 0.5], [0, scale, (0.5 - y) * scale - 0.5]])
    if scale < 1:  # blur first to avoid aliasing
        sigma = 0.4 * (1 / scale - 1) + 0.2
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def load(name: str, data: Path) -> Faces:
    """The faces of one list: all of val, and `TRAIN` train faces."""
    every = _load_all(name, data)
    train = np.flatnonzero(~every.val & np.isfinite(every.points).all(axis=(1, 2)))
    drawn = np.random.default_rng(0).choice(train, min(TRAIN, len(train)), replace=False)
    return every.take(np.concatenate([np.sort(drawn), np.flatnonzero(every.val)]))


def _load_all(name: str, data: Path) -> Faces:
    if name == "faces68":
        return _read(data / "faces68", None)
    if name == "colour15":
        return _colour(_load_all("faces15", data), _load_all("faces68", data))
    return _read(data / name / "labels_complete.csv", data / name / "images")


def _read(source: Path, images: Path | None) -> Faces:
    _, reader = open_reader(source, images=images)
    if reader.schema is None:
        raise SystemExit(f"{source}: there are no labels here.")
    with closing(reader.chunks(reader.schema, progress=Progress())) as chunks:
        batches = [chunk.batch for chunk in chunks]
    paths = tuple(path for batch in batches for path in batch.paths or ())
    sides = np.concatenate([batch.widths for batch in batches]).astype(np.float64)
    points = np.concatenate([batch.labels.points for batch in batches])
    points = (points + 0.5) * (SIDE / sides)[:, None, None] - 0.5
    frames = np.stack([np.zeros_like(sides), np.zeros_like(sides), sides], axis=1)
    groups = np.concatenate([np.array(batch.groups) for batch in batches])
    splits = np.concatenate([batch.splits for batch in batches])
    return Faces(reader.schema, paths, frames, points, groups, splits == Split.VAL)


def _colour(gray: Faces, colour: Faces) -> Faces:
    """The gray faces in their colour images, matched by order within val and train."""
    order = np.empty(len(gray.paths), int)
    for part in (True, False):
        order[gray.val == part] = np.flatnonzero(colour.val == part)
    there = colour.take(order)
    pixels = (there.points + 0.5) * (there.frames[:, 2:] / SIDE)[:, None]  # from the image's edge
    frames = np.stack([frame_of(p[_IN_68], q[_IN_15] + 0.5) for p, q in zip(pixels, gray.points, strict=True)])
    return replace(gray, paths=there.paths, frames=frames)


def frame_of(there: np.ndarray, here: np.ndarray) -> np.ndarray:
    """x, y, side of the frame, by least squares over both axes: there = corner + here * side / 96."""
    a, b = there - there.mean(axis=0), here - here.mean(axis=0)
    scale = (a * b).sum() / np.square(b).sum()
    if np.abs(a - scale * b).max() > 0.05 * scale:
        raise SystemExit("faces15 and faces68 do not hold the same faces in the same order.")
    return np.append(there.mean(axis=0) - scale * here.mean(axis=0), scale * SIDE)


def write_list(path: Path, faces: Faces) -> None:
    """Write picture, x, y, side and split, without labels, for `foreign_points.py`."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("picture", "x", "y", "side", "split"))
        for image, frame, val in zip(faces.paths, faces.frames, faces.val, strict=True):
            writer.writerow((image, *(f"{v:.6g}" for v in frame), "val" if val else "train"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.sets.split(","):
        write_list(args.out / f"{name}.csv", load(name, args.data))


if __name__ == "__main__":
    main()
