"""A plain CSV: image, group, split, coordinates and, if asked for, the state of each keypoint."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from training.errors import UserError
from training.faces.labels.labels import PointState
from training.files.replacing import replacing
from training.files.sentences import writing
from training.progress import Progress
from training.sources.exchange.values import Values, in_chunks, number_text, safe_names
from training.sources.formats.image_files import is_image
from training.sources.formats.tables.known_columns import CROP_COLUMNS
from training.storage.project.tables.boxes import Faces
from training.storage.project.tables.label_table import label_table
from training.storage.project.tables.packed_columns import SPLITS

_ROW = "\x1e\n"  # ends a row while it has no label cells yet
_BOX_COLUMNS = ("box_x", "box_y", "box_w", "box_h")


def write_csv(values: Values, out: Path, progress: Progress, *, states: bool = False) -> tuple[int, list[str]]:
    """One row per sample, coordinates in px of the image files; crops, boxes and subsets where there are any.

    Images that exist only in the project are written to `<name of out>_images/`.
    Raises UserError where other images of the same names are there.
    """
    with replacing(out) as file, _Images(out.with_name(f"{out.stem}_images")) as images:
        table = _CsvTable(values, states=states)
        file.write(_line(",".join(table.head()), []))
        kept = values.project.kept_ids()
        for some in in_chunks(kept):
            progress(int(some[0] - 1) / len(table.names), f"Writing {out.name}, row {some[0]:,}")
            for i, words, cells in zip((some - 1).tolist(), *table.rows(some), strict=True):
                file.write(_line(words, cells))
                if i in table.inside:
                    images.write(table.names[i], values.project.image(i + 1))
    return len(kept), table.notes(images.folder)


class _CsvTable:
    """The columns of a project's table and their cells."""

    def __init__(self, values: Values, *, states: bool) -> None:
        self.values, self.states = values, states
        project = values.project
        self.names, self.inside = _image_names(values, project.ids())
        self.groups, self.splits = project.groups(), np.asarray(project.index().splits).tolist()
        faces = project.faces()
        self.crops, self.boxes = bool(faces.crops.any()), bool(np.isfinite(faces.boxes).any())
        self.subsets = any(faces.subsets)

    def head(self) -> list[str]:
        """The titles."""
        schema = self.values.project.schema
        return [
            *("image", "group", "split"),
            *(("subset",) if self.subsets else ()),
            *(CROP_COLUMNS if self.crops else ()),
            *(_BOX_COLUMNS if self.boxes else ()),
            *schema.columns,
            *((f"{name}_state" for name in schema.keypoints) if self.states else ()),
        ]

    def rows(self, ids: np.ndarray) -> tuple[list[str], list[list[str]]]:
        """(beginning of the line, cells that go into the file as they are) of each sample."""
        faces, labels = self.values.project.faces(ids), self.values.cells(ids)
        extra = _states(self.values, ids) if self.states else [[] for _ in labels]
        words = [
            [self.names[i], self.groups[i], SPLITS[self.splits[i]], *self._face(faces, n)]
            for n, i in enumerate((ids - 1).tolist())
        ]
        return _quoted(words), [cells + more for cells, more in zip(labels, extra, strict=True)]

    def _face(self, faces: Faces, n: int) -> list[str]:
        crop, box = faces.crops[n].tolist(), faces.boxes[n].tolist()
        return [
            *((faces.subsets[n],) if self.subsets else ()),
            *((str(value) if crop[2] else "" for value in crop) if self.crops else ()),
            *((number_text(value) for value in box) if self.boxes else ()),
        ]

    def notes(self, folder: Path) -> list[str]:
        """Notes on the whole table."""
        notes = [f"The images were written to {folder}."] if self.inside else []
        table = label_table(self.values.project.database, len(self.values.project.schema))
        counts = table[:, [PointState.OCCLUDED, PointState.ABSENT]].sum()
        if counts and not self.states and self.values.run is None:
            notes.append(f"{counts:,} points are occluded or absent, which a table without states cannot show.")
        return notes


class _Images:
    """Writes images into a folder and leaves other images there alone; after an exception none of its own stay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._written: list[Path] = []

    def __enter__(self) -> _Images:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        for path in self._written if error is not None else ():
            with suppress(OSError):
                path.unlink()

    def write(self, name: str, image: np.ndarray) -> None:
        """Raises UserError where another image has this name."""
        path, data = self.folder / name, png_bytes(image)
        with writing(path):
            if path.exists():
                if path.read_bytes() != data:
                    raise UserError(
                        f"{path}: another image has this name; export under another name, or move the folder."
                    )
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            self._written.append(path)
            path.write_bytes(data)


def _image_names(values: Values, ids: np.ndarray) -> tuple[list[str], set[int]]:
    """File names in the table, and which of them (by index) are not files yet."""
    names = values.project.names()
    cropped = set(np.flatnonzero(values.project.faces(ids).crops[:, 2]).tolist())
    inside = {
        i
        for i, name in enumerate(names)
        if not is_image(PurePosixPath(name).suffix.lower()) and _file_of(values, int(ids[i])) is None
    }
    safe = dict(zip(sorted(inside), safe_names([f"{names[i]}.png" for i in sorted(inside)]), strict=True))
    for i in cropped:  # the second face of a.jpg is called a#2.jpg
        path = _file_of(values, int(ids[i]))
        safe[i] = (PurePosixPath(names[i]).parent / path.name).as_posix() if path else names[i]
    return [safe.get(i, name) for i, name in enumerate(names)], inside


def _file_of(values: Values, sample: int) -> Path | None:
    return values.project.sample(sample).path


def _states(values: Values, ids: np.ndarray) -> list[list[str]]:
    return [[PointState(state).name.lower() for state in row] for row in values.labels(ids).states.tolist()]


def _quoted(rows: list[list[str]]) -> list[str]:
    """The beginning of each line, with quotation marks where they are needed."""
    import pandas as pd

    text: str = pd.DataFrame(rows).to_csv(index=False, header=False, lineterminator=_ROW)
    return text.removesuffix(_ROW).split(_ROW)


def _line(words: str, cells: list[str]) -> bytes:
    """Label cells go as they are, quotation marks included, since they are the cells of the source."""
    return (words + "".join(f",{cell}" for cell in cells) + "\n").encode()


def png_bytes(image: np.ndarray) -> bytes:
    """An image uint8 [H, W] or [H, W, 3] RGB as PNG."""
    bgr = image if image.ndim == 2 else image[:, :, ::-1]
    done, data = cv2.imencode(".png", np.ascontiguousarray(bgr))
    if not done:
        raise OSError("an image cannot be encoded")
    return data.tobytes()


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an image as PNG, whatever the path's characters."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png_bytes(image))
