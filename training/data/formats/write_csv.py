"""A plain CSV: image, group, split, the coordinates, and where asked the state of each keypoint."""

from __future__ import annotations

import csv
import io
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from training.data.files import replacing, writing
from training.data.formats.picture_files import is_picture
from training.data.formats.written import Values, in_chunks, safe_names
from training.data.keypoint_data import PointState
from training.data.progress import Progress
from training.project.columns import SPLITS


def write_csv(values: Values, out: Path, progress: Progress, *, states: bool = False) -> tuple[int, list[str]]:
    """One row a sample. Pictures that are in the project and not in files are written to `<name of out>_images/`."""
    project = values.project
    ids = project.ids()
    names, inside = _image_names(values, ids)
    groups, splits = project.groups(), np.asarray(project.index().splits).tolist()
    head = ["image", "group", "split", *project.schema.columns]
    head += [f"{name}_state" for name in project.schema.keypoints] if states else []
    folder = out.with_name(f"{out.stem}_images")
    with replacing(out) as file:
        file.write(_line(head, []))
        for some in in_chunks(ids):
            progress(int(some[0] - 1) / len(ids), f"Writing {out.name}, row {some[0]:,}")
            extra = _states(values, some) if states else [[] for _ in some]
            for i, cells, words in zip((some - 1).tolist(), values.cells(some), extra, strict=True):
                file.write(_line([names[i], groups[i], SPLITS[splits[i]]], cells + words))
                if i in inside:
                    write_png(folder / names[i], project.picture(i + 1))
    return len(ids), [f"The pictures were written to {folder}."] if inside else []


def _image_names(values: Values, ids: np.ndarray) -> tuple[list[str], set[int]]:
    """File names in the table, and which of them (by index) are not files yet."""
    names = values.project.names()
    inside = {
        i
        for i, name in enumerate(names)
        if not is_picture(PurePosixPath(name).suffix.lower()) and _has_pixels(values, int(ids[i]))
    }
    safe = dict(zip(sorted(inside), safe_names([f"{names[i]}.png" for i in sorted(inside)]), strict=True))
    return [safe.get(i, name) for i, name in enumerate(names)], inside


def _has_pixels(values: Values, sample: int) -> bool:
    return values.project.sample(sample).path is None


def _states(values: Values, ids: np.ndarray) -> list[list[str]]:
    return [[PointState(state).name.lower() for state in row] for row in values.labels(ids).states.tolist()]


def _line(words: list[str], cells: list[str]) -> bytes:
    """words are quoted where they need it; label cells go as they are, since some stand so in the source."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(words)
    return (text.getvalue() + "".join(f",{cell}" for cell in cells) + "\n").encode()


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write a picture uint8 [H, W] or [H, W, 3] RGB as PNG, whatever the path's characters."""
    bgr = picture if picture.ndim == 2 else picture[:, :, ::-1]
    done, data = cv2.imencode(".png", np.ascontiguousarray(bgr))
    if not done:
        raise OSError(f"the picture {path} cannot be encoded")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes())
