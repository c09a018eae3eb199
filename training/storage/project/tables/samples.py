"""The table of samples: one sample, and the names, groups and sources of many."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from training.errors import UserError
from training.faces.labels.samples import FLAG_NO_FACE
from training.files.json_values import parse_json
from training.storage.project.database import Database
from training.storage.project.guard import guard, guarded
from training.storage.project.pixels import find_image
from training.storage.project.tables.label_table import as_ids
from training.storage.project.tables.packed_columns import read_rows, split_word

SEPARATOR = "\x1f"  # between the cells of a source's row


@dataclass(frozen=True)
class Sample:
    """One sample.

    name: unique. source: where it came from, for display. path: its image file (None: its pixels are in the project).
    group: "" if none. split: "train", "val", "test" or "removed". width, height: px.
    """

    id: int
    name: str
    source: str
    path: Path | None
    group: str
    split: str
    width: int
    height: int
    flags: tuple[str, ...]


class FileOfSample(NamedTuple):
    """The image file of a sample. folders: where it may be, beside the project and as it was at the import; none where
    the project keeps the pixels. crop: x, y, side, None for the whole file. faceless: no face was detected in it."""

    id: int
    name: str
    folders: tuple[str, ...]
    file: str
    crop: tuple[int, int, int] | None
    faceless: bool


@guarded
def read_row(database: Database, sample_id: int, columns: str) -> tuple:
    """Some columns of one sample. Raises UserError for an unknown id."""
    row = database.one(f"SELECT {columns} FROM samples WHERE id = ?", (int(sample_id),))
    if row is None:
        raise UserError(f"There is no sample number {sample_id} in {database.folder}.")
    return row


@guarded
def read_sample(database: Database, sample_id: int) -> Sample:
    """One sample. Raises UserError for an unknown id."""
    columns = "name, source, folder, file, grouping, flags"
    name, source, folder, file, group, flags = read_row(database, sample_id, columns)
    small = read_rows(database, sample_id - 1, sample_id)[0]
    return Sample(
        id=sample_id,
        name=_text(name),
        source=_text(source),
        path=None if folder is None else file_path(database, folder, file),
        group=_text(group),
        split=split_word(int(small["splits"])),
        width=int(small["widths"]),
        height=int(small["heights"]),
        flags=tuple(map(str, parse_json(flags))) if flags else (),
    )


@guarded
def file_path(database: Database, folder: int, file: str) -> Path:
    """Where an image file is now; folder: its number."""
    near, absolute = database.one("SELECT near, absolute FROM folders WHERE id = ?", (folder,)) or ("", "")
    return find_image(database.folder, near, absolute=absolute, file=file)


@guarded
def read_texts(
    database: Database, column: Literal["name", "grouping", "source"], ids: Sequence[int] | np.ndarray | None = None
) -> list[str]:
    """A text of each of the samples `ids`, or of all in import order."""
    if ids is None:
        return _texts(text for (text,) in database.all(f"SELECT {column} FROM samples ORDER BY id"))
    return _texts(read_row(database, int(i), column)[0] for i in as_ids(ids))


def _texts(values: Iterable[object]) -> list[str]:
    """Raises TypeError where one is no text, which STRICT tables prevent but damage does not."""
    return list(map(_text, values))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


@guarded
def source_cells(database: Database, ids: Sequence[int] | np.ndarray) -> list[tuple[str, ...] | None]:
    """The 2K label cells of each sample as in its source file; None if it had none."""
    query = "SELECT id, cells FROM source_cells WHERE id IN (SELECT value FROM json_each(?))"
    wanted = as_ids(ids).tolist()
    cells = dict(database.all(query, (json.dumps(wanted),)))
    return [tuple(cells[i].split(SEPARATOR)) if i in cells else None for i in wanted]


@guarded
def find_samples(database: Database, text: str, *, most: int) -> list[tuple[int, str]]:
    """(id, name) of at most so many samples whose name contains the text, led by the one whose number it is."""
    number = int(text) if text.isdecimal() and len(text) < 18 else -1
    pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    rows = database.all(
        "SELECT id, name FROM samples WHERE id = ? OR name LIKE ? ESCAPE '\\' ORDER BY id != ?, id LIMIT ?",
        (number, pattern, number, most),
    )
    return [(int(i), str(name)) for i, name in rows]


@guarded
def faceless_ids(database: Database) -> np.ndarray:
    """int64: the photos in which no face was detected."""
    query = "SELECT id FROM samples WHERE flags <> '' AND instr(flags, ?)"
    return database.column(query, (f'"{FLAG_NO_FACE}"',))


def files_of_samples(database: Database) -> Iterator[FileOfSample]:
    """The image file of every sample, removed ones included, in no order."""
    beside = database.folder.parent
    folders = {
        number: (os.path.normpath(beside / near), absolute)
        for number, near, absolute in database.all("SELECT id, near, absolute FROM folders")
    }
    rows = database.all(
        "SELECT s.id, s.name, s.folder, s.file, s.flags, f.crop_x, f.crop_y, f.crop_side FROM samples s "
        "LEFT JOIN faces f ON f.id = s.id"
    )
    with guard(database):
        for number, name, folder, file, flags, x, y, side in rows:
            crop = (x, y, side) if side else None
            yield FileOfSample(number, name, folders.get(folder, ()), file, crop, FLAG_NO_FACE in flags)
