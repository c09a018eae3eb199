"""A plain CSV: image, group, split, coordinates and, if asked for, the state of each keypoint."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import PointState
from training.files.csv_text import csv_row, without_formula
from training.files.replacing import replacing
from training.files.safe_names import safe_names
from training.progress import Progress
from training.sources.exchange.values import Values, in_chunks, number_text
from training.sources.exchange.written_images import WrittenImages
from training.sources.formats.tables.known_columns import CROP_COLUMNS
from training.storage.destination import Result, check_destination
from training.storage.project.tables.boxes import Faces
from training.storage.project.tables.label_table import label_table
from training.storage.project.tables.packed_columns import SPLITS

_BOX_COLUMNS = ("box_x", "box_y", "box_w", "box_h")


def write_csv(
    values: Values, out: Path, progress: Progress, *, states: bool = False, escape_formulas: bool = False
) -> tuple[int, list[str]]:
    """One row per sample, coordinates in px of the image files; crops, boxes and subsets where there are any.

    Images that exist only in the project are written to `<name of out>_images/`. escape_formulas: put ' before cells that
    a spreadsheet would run. Raises UserError where there is no sample, or other images of the same names are there.
    """
    kept = values.project.kept_ids()
    if not len(kept):
        raise UserError(f"{values.project.path}: there are no samples to export; import data first.")
    folder = out.with_name(f"{out.stem}_images")
    check_destination(folder, Result.FOLDER, project=values.project)
    table = _CsvTable(values, states=states, escape_formulas=escape_formulas)
    with WrittenImages(folder) as images, replacing(out) as file:
        file.write(f"{csv_row(table.head())}\n".encode())
        for some in in_chunks(kept):
            progress(int(some[0] - 1) / len(table.names), f"Writing {out.name}, row {some[0]:,}")
            for i, line in zip((some - 1).tolist(), table.rows(some), strict=True):
                file.write(f"{line}\n".encode())
                if i in table.inside:
                    images.write(table.names[i], values.project.image(i + 1))
        file.flush()
        images.put_in_place()
    return len(kept), table.notes(folder)


class _CsvTable:
    """The columns of a project's table and their cells."""

    def __init__(self, values: Values, *, states: bool, escape_formulas: bool) -> None:
        self.values, self.states, self.escape_formulas = values, states, escape_formulas
        project = values.project
        self.names, self.inside = _image_names(values, escape_formulas=escape_formulas)
        self.groups, self.splits = project.groups(), np.asarray(project.index().splits).tolist()
        faces = project.faces()
        self.crops, self.boxes = bool(faces.crops.any()), bool(np.isfinite(faces.boxes).any())
        self.subsets = any(faces.subsets)

    def head(self) -> list[str]:
        """The titles."""
        schema = self.values.project.schema
        titles = [
            *("image", "group", "split"),
            *(("subset",) if self.subsets else ()),
            *(CROP_COLUMNS if self.crops else ()),
            *(_BOX_COLUMNS if self.boxes else ()),
            *schema.columns,
            *((f"{name}_state" for name in schema.keypoints) if self.states else ()),
        ]
        return list(map(without_formula, titles)) if self.escape_formulas else titles

    def rows(self, ids: np.ndarray) -> list[str]:
        """The line of each sample."""
        faces, labels = self.values.project.faces(ids), self.values.cells(ids)
        extra = _states(self.values, ids) if self.states else [[] for _ in labels]
        return [
            self._row(
                [self.names[i], self.groups[i], SPLITS[self.splits[i]], *self._face(faces, n)], labels[n] + extra[n]
            )
            for n, i in enumerate((ids - 1).tolist())
        ]

    def _row(self, words: list[str], cells: list[str]) -> str:
        """Label cells go as they are, quotation marks included, since they are the cells of the source."""
        if self.escape_formulas:
            words, cells = list(map(without_formula, words)), list(map(without_formula, cells))
        return ",".join([csv_row(words), *cells])

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


def _image_names(values: Values, *, escape_formulas: bool) -> tuple[list[str], set[int]]:
    """File names in the table, and which of them (by index) are not files yet: these can be read back in any case."""
    project = values.project
    names = project.names()
    cropped = np.flatnonzero(project.faces().crops[:, 2]).tolist()
    inside = (project.database.column("SELECT id FROM samples WHERE folder IS NULL ORDER BY id") - 1).tolist()
    named = dict(
        zip(inside, safe_names([_png(names[i], escape_formulas=escape_formulas) for i in inside]), strict=True)
    )
    for i in cropped:  # the second face of a.jpg is called a#2.jpg
        path = project.sample(i + 1).path
        if path is not None:
            named[i] = (PurePosixPath(names[i]).parent / path.name).as_posix()
    return [named.get(i, name) for i, name in enumerate(names)], set(inside)


def _png(name: str, *, escape_formulas: bool) -> str:
    name = name if name.lower().endswith(".png") else f"{name}.png"
    return f"_{name}" if escape_formulas and without_formula(name) != name else name


def _states(values: Values, ids: np.ndarray) -> list[list[str]]:
    return [[PointState(state).name.lower() for state in row] for row in values.labels(ids).states.tolist()]
