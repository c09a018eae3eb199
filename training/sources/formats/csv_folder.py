"""A folder of pictures and a CSV with one row a picture: file name, `<keypoint>_x`, `<keypoint>_y`, group, split."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from training.errors import UserError
from training.faces.images.reading import PICTURE_SUFFIXES
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import SCHEMAS, KeypointSchema, schema_from_names
from training.progress import Progress
from training.sources.formats.columns import (
    GROUP_NAMES,
    IMAGE_NAMES,
    SPLIT_NAMES,
    ColumnMapping,
    find_keypoints,
    named,
    split_of,
    with_states,
)
from training.sources.formats.face_rows import FaceRows
from training.sources.formats.image_files import Examined, examine_files
from training.sources.formats.image_folder import PERSONS
from training.sources.formats.kaggle import is_kaggle_header
from training.sources.formats.known_columns import SUBSET_NAMES, find_box, find_crop, with_flags, with_known_names
from training.sources.formats.label_rows import LabelRows, drop
from training.sources.formats.problems import Findings, Place
from training.sources.formats.reader import CHUNK, Chunk
from training.sources.formats.table import Row, Table, cell_number, cell_text, open_table

LABELS = "labels.csv"
_HEAD = 200  # rows looked at to understand the columns
_SUBFOLDERS = ("images", "pictures", "imgs", "img", "faces", "jpg", "png")


class _Name(NamedTuple):
    picture: str  # as in the table
    face: str  # of the sample


class CsvFolderReader:
    """`source`: the CSV, or a folder that holds it. images: where the pictures are, found by itself if not given.

    several: a picture may be in several rows, one for each of its faces, since faces are cut out; None: where the table
    has boxes and no points, since it is one of faces without labels.
    """

    def __init__(
        self,
        source: Path,
        *,
        images: Path | None = None,
        mapping: ColumnMapping | None = None,
        several: bool | None = None,
    ) -> None:
        self.source = source
        self.path = find_csv(source)
        self.findings = Findings()
        with open_table(self.path) as table:
            self.header = table.header
            head = list(islice(table.rows(), _HEAD))
            if not head:
                raise UserError(
                    f"{self.path}: there are no rows below the header; copy the file again from where it came."
                )
            folders = _folders(self.path.parent, images)
            self.mapping = mapping or guess_mapping(table, head, folders=folders)
            self.mapping.check(table.header, file=self.path.name)
            self.several = bool(self.mapping.crop) or (self.boxes_only if several is None else several)
            self.images = self._images(table, head, folders)
            self.schema = self._schema(table, head) if self.mapping.keypoints else None

    @property
    def boxes_only(self) -> bool:
        """Whether the table tells where faces are, and none of their points."""
        return bool(self.mapping.box) and not self.mapping.keypoints

    def count(self) -> tuple[int, bool]:
        """Lines of the file, without the header."""
        with self.path.open("rb") as file:
            lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
            file.seek(max(self.path.stat().st_size - 1, 0))
            lines += file.read(1) != b"\n"
        return lines - 1, True

    def chunks(self, schema: KeypointSchema, *, progress: Progress, size: int = CHUNK) -> Generator[Chunk]:
        """Rows in the order of the file; those whose picture can't be read are left out and listed."""
        with open_table(self.path) as table:
            rows, faces = LabelRows(table, self.mapping, schema), FaceRows(table, self.mapping)
            names: list[_Name] = []
            seen: dict[str, list[Place]] = {}
            for row in table.rows():
                names.append(self._name(table, row, seen))
                rows.add(row)
                faces.add(row)
                self._check_cut(table, row)
                if len(names) == size:
                    progress(row.read / table.size, f"Reading {names[-1].picture}")
                    yield self._chunk(names, rows, faces)
            if names:
                progress(1.0, f"Reading {names[-1].picture}")
                yield self._chunk(names, rows, faces)

    def _name(self, table: Table, row: Row, seen: dict[str, list[Place]]) -> _Name:
        column = self.mapping.image
        name = cell_text(row.cells[table.header.index(column)], row.place, column).strip()
        if not name:
            raise UserError(f"{row.place.at(column)}: the name of the picture is missing; add it or remove the row.")
        seen.setdefault(name, []).append(row.place)
        if len(seen[name]) > 1 and not self.several:
            raise UserError(
                f"{row.place.at(column)}: {name} is in row {seen[name][0].row} already; remove or rename one of the two,"
                " or cut the faces out of their pictures (--crop box or --crop points)."
            )
        return _Name(name, face_name(name, len(seen[name])))

    def _check_cut(self, table: Table, row: Row) -> None:
        """A last row without a line end was cut off where its last point is half there or has fewer decimals than all others."""
        if not table.at_end(row) or not self.mapping.keypoints or table.header[-1] != self.mapping.keypoints[-1].y:
            return
        first = table.header.index(self.mapping.keypoints[0].x)
        decimals = {len(cell.partition(b".")[2]) for cell in row.cells[first:-1] if b"." in cell}
        last = row.cells[-1]
        shorter = len(decimals) == 1 and len(last.partition(b".")[2]) < min(decimals)
        if row.cells[-2] and (not last or shorter):
            place = row.place.at(table.header[-1])
            raise UserError(
                f"{place}: the file ends within this cell ({last.decode('utf-8', 'replace')!r}); it was cut off, so copy it again."
            )

    def _chunk(self, names: list[_Name], rows: LabelRows, faces: FaceRows) -> Chunk:
        paths = [_existing(self.images, name.picture) for name in names]
        different = list(dict.fromkeys(paths))
        examined = dict(zip(different, examine_files(different), strict=True))
        found = [examined[path] for path in paths]
        kept = [i for i, seen in enumerate(found) if isinstance(seen, Examined)]
        for i, seen in enumerate(found):
            if isinstance(seen, UserError):
                self.findings.left_out.append(rows.places[i].problem(f"left out: {seen}", self.mapping.image))
        drop(rows, kept)
        faces.keep(kept)
        sizes = [seen for seen in found if isinstance(seen, Examined)]
        widths = np.array([seen.width for seen in sizes], np.int32)
        heights = np.array([seen.height for seen in sizes], np.int32)
        labels, flags = rows.labels(widths, heights, self.findings)
        splits, given = rows.given()
        batch = SampleBatch(
            names=tuple(names[i].face for i in kept),
            sources=tuple(f"{self.path.name}#{place.row}" for place in rows.places),
            labels=labels, widths=widths, heights=heights, groups=tuple(rows.groups), splits=splits,
            paths=tuple(paths[i].absolute() for i in kept),
            source_cells=tuple(rows.cells) if rows.columns else None, flags=flags,
            crops=faces.crops(), boxes=faces.boxes(), subsets=faces.subsets(),
        )  # fmt: skip
        rows.clear()
        faces.clear()
        names.clear()
        return Chunk(batch, np.array([seen.look for seen in sizes], np.uint8).reshape(-1, 16, 16), given)

    def _images(self, table: Table, head: Sequence[Row], folders: Sequence[Path]) -> Path:
        """The folder in which the first rows' pictures are. Raises UserError where none is."""
        names = _cells(table, head[:20], self.mapping.image)
        for folder in folders:
            if any(_is_there(_existing(folder, name)) for name in names):
                return folder
        where = folders[0] if len(folders) == 1 else self.path.parent
        raise UserError(
            f"{self.path}, row 1 (line 2), column {self.mapping.image}: the picture {names[0]!r} is not in {where};"
            " give the folder of the pictures with --images."
        )

    def _schema(self, table: Table, head: Sequence[Row]) -> KeypointSchema:
        """The known schema, or one of the columns' names with the mean of the first complete faces as its template."""
        schema = self.mapping.schema()
        if schema.name in SCHEMAS:
            return schema
        columns = [(table.header.index(c), c) for pair in self.mapping.pairs(schema) for c in pair]
        points = np.array([[cell_number(row.cells[i], row.place, c) for i, c in columns] for row in head])
        complete = points[np.isfinite(points).all(axis=1)].reshape(-1, len(schema), 2)
        return schema_from_names(schema.keypoints, mean=complete.mean(axis=0) if len(complete) else None)


def find_csv(source: Path) -> Path:
    """The CSV of a folder: `labels.csv`, else the only one. Raises UserError where it isn't clear which."""
    if not source.is_dir():
        return source
    found = sorted(p for p in source.glob("*.csv") if p.name != PERSONS and not p.name.startswith("."))
    if len(found) > 1:
        found = [p for p in found if p.name.lower() == LABELS] or found
    if not found:
        raise UserError(f"{source}: there is no CSV file in this folder; give the CSV and the folder of the pictures.")
    if len(found) > 1:
        names = ", ".join(p.name for p in found[:4])
        raise UserError(f"{source}: there are several CSV files ({names}); give the one to import.")
    return found[0]


def guess_mapping(table: Table, head: Sequence[Row], *, folders: Sequence[Path]) -> ColumnMapping:
    """Columns by their names; the picture's column also by its cells, which name files that are there."""
    image = named(table.header, IMAGE_NAMES)
    if not image or not _names_files(table, head, image, folders):
        image = next((c for c in table.header if _names_files(table, head, c, folders)), image)
    if not image or is_kaggle_header(table.header):
        raise UserError(f"{table.path}, line 1: the column image with the pictures' file names is missing; add it.")
    (box, corners), crop = find_box(table.header), find_crop(table.header)
    keypoints = find_keypoints(table.header, file=table.name, taken=(image, *box, *crop))
    if not keypoints and not box:
        raise UserError(
            f"{table.path}, line 1: the keypoint columns (left_eye_center_x, left_eye_center_y, ...) are missing; add them."
        )
    keypoints = with_states(keypoints, table.header, lambda column: _cells(table, head, column))
    keypoints = with_known_names(with_flags(keypoints, table.header))
    taken = {image, *box, *crop, *(c for k in keypoints for c in (k.x, k.y, k.state))}
    rest = [column for column in table.header if column not in taken]
    group = named(rest, GROUP_NAMES)
    if group.lower() == "id" and len({row.cells[table.header.index(group)] for row in head}) == len(head):
        group = ""  # numbers the rows, so it groups nothing
    split = next((c for c in (named(rest, (n,)) for n in SPLIT_NAMES) if c and _names_splits(table, head, c)), "")
    subset = named([column for column in rest if column not in (group, split)], SUBSET_NAMES)
    return ColumnMapping(
        image, keypoints, group=group, split=split, subset=subset, box=box, box_corners=corners, crop=crop
    )


def _names_splits(table: Table, head: Sequence[Row], column: str) -> bool:
    """Whether a column is one of splits: `split` in any case, others where no word of theirs is anything else."""
    words = {word for word in _cells(table, head, column) if word}
    return column.lower() == "split" or any(split_of(word) for word in words) or column.lower() not in SUBSET_NAMES


def face_name(picture: str, number: int) -> str:
    """The sample's name of a picture's n-th face: a.jpg, a#2.jpg, ..."""
    path = PurePosixPath(picture)
    return picture if number == 1 else picture[: len(picture) - len(path.suffix)] + f"#{number}{path.suffix}"


def _names_files(table: Table, head: Sequence[Row], column: str, folders: Sequence[Path]) -> bool:
    names = _cells(table, head[:5], column)
    return any(_is_there(_existing(folder, name)) for name in names if name for folder in folders)


def _cells(table: Table, rows: Sequence[Row], column: str) -> list[str]:
    index = table.header.index(column)
    return [cell_text(row.cells[index], row.place, column).strip() for row in rows]


def _folders(beside: Path, images: Path | None) -> list[Path]:
    if images is not None:
        if not images.is_dir():
            raise UserError(f"{images}: there is no such folder; give the folder of the pictures.")
        return [images]
    below = [beside / name for name in _SUBFOLDERS if (beside / name).is_dir()]
    others = sorted(p for p in beside.iterdir() if p.is_dir() and p not in below and not p.name.startswith("."))
    return [beside, *below, *others[:50]]


def _existing(folder: Path, name: str) -> Path:
    """The picture's file; a name without a suffix gets the one that is there."""
    path = folder / name.replace("\\", "/")
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return path
    tries = (path.with_name(path.name + suffix) for suffix in PICTURE_SUFFIXES if path.name)
    return next((p for p in tries if _is_there(p)), path)


def _is_there(path: Path) -> bool:
    """Whether a file of this name is there; a cell may hold what can be no name."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
