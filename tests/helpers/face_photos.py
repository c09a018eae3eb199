"""Makes photos with faces for tests, in 300-W's folders and in a table of boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.helpers.label_files import textures, write_image, write_rows
from training.faces.images.crops import CropOptions
from training.sources.formats.pts.text import pts_number, text_of_cells
from training.sources.formats.tables.known_columns import AFLW_KEYPOINTS

SIDE = 60  # px of a photo
BY_POINTS, BY_BOX = CropOptions("points", 0.25), CropOptions("box", 0.25)


def photo(seed: int) -> np.ndarray:
    """[60, 60, 3] uint8."""
    return np.stack([cv2.resize(p, (SIDE, SIDE)) for p in textures(3, side=20, seed=seed)], axis=2)


def face_points(
    seed: int, *, keypoints: int = 68, corner: tuple[float, float] = (15, 20), span: float = 20
) -> np.ndarray:
    """[K, 2]; their bounding box is exactly corner..corner + span."""
    points = np.random.default_rng(seed).uniform(0, span, (keypoints, 2)).round(3) + corner
    points[0], points[1] = corner, np.array(corner) + span
    return points


def tree_300w(root: Path, parts: dict[str, int]) -> Path:
    for p, (folder, count) in enumerate(parts.items()):
        for i in range(count):
            write_image(root / folder / f"{i}.JPG", photo(100 * p + i))
            (root / folder / f"{i}.pts").write_text(pts_text(face_points(100 * p + i)))
    return root


ALL_300W = {"LFPW/TrainSet": 3, "helen/trainset": 4, "data/AFW": 3, "LFPW/testset": 2, "helen/testset": 2, "x/ibug": 2}


def boxed_table(folder: Path, *, corners: bool = False, crop: str = "", flags: bool = False) -> Path:
    """faces.csv: two photos with two faces each and one with one; AFLW's 19 points under their own names."""
    names = list(AFLW_KEYPOINTS)
    box = ["x1", "y1", "x2", "y2"] if corners else ["FACE_X", "FACE_Y", "FACE_WIDTH", "FACE_HEIGHT"]
    header = ["filename", *box, "split", "frontal", *(f"{n}_{a}" for n in names for a in "XY")]
    header += [f"{n}_visible" for n in names] if flags else []
    rows = []
    for i, (image, corner) in enumerate([(0, (2, 3)), (0, (35, 30)), (1, (5, 5)), (1, (30, 8)), (2, (20, 20))]):
        write_image(folder / f"{image}.png", photo(image))
        points = face_points(i, keypoints=19, corner=corner, span=18)
        x, y = corner
        last = [x + 20, y + 20] if corners else [20, 20]
        cells = [f"{image}.png", str(x), str(y), *map(str, last), "test" if i == 4 else "train", str(i % 2)]
        cells += [f"{v:.3f}" for v in points.ravel()]
        rows.append(cells + (["0" if k == i else "1" for k in range(19)] if flags else []))
    return write_rows(folder / "faces.csv", rows, header=header)


def pts_text(points: np.ndarray) -> str:
    """The file's text for points [K, 2]; a missing point is written `nan nan`. Reads back to 1e-9 px and better."""
    return text_of_cells([pts_number(value) for value in points.ravel().tolist()])
