"""A folder of images and a CSV with one row per image: file name, `<keypoint>_x`, `<keypoint>_y`, group, split."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from training.errors import UserError
from training.faces.images.reading import IMAGE_SUFFIXES
from training.faces.labels.samples import SampleBatch, face_name
from training.faces.labels.schema import SCHEMAS, KeypointSchema, schema_from_names
from training.files.regular import open_regular
from training.files.sentences import reading
from training.progress import Progress
from training.sources.formats.image_files import Examined, examine_files
from training.sources.formats.image_folder import PERSONS
from training.sources.formats.kaggle import is_kaggle_header
from training.sources.formats.problems import Findings, Place
from training.sources.formats.reader import CHUNK, Chunk
from training.sources.formats.tables import face_rows
from training.sources.formats.tables.columns import (
    GROUP_NAMES,
    IMAGE_NAMES,
    SPLIT_NAMES,
    ColumnMapping,
    find_keypoints,
    named,
    split_of,
    with_states,
)
from training.sources.formats.tables.known_columns import (
    SUBSET_NAMES,
    find_box,
    find_crop,
    with_flags,
    with_known_names,
)
from training.sources.formats.tables.label_rows import LabelRows
from training.sources.formats.tables.table import Rows, Table, open_table

LABELS = "labels.csv"
_HEAD = 200  # rows looked at to understand the columns
_OUTER = 100  # first and last columns in whose cells names of files are looked for
_SUBFOLDERS = ("images", "pictures", "imgs", "img", "faces", "jpg", "png")


class _Name(NamedTuple):
    image: str  # as in the table
    face: str  # of the sample


class CsvFolderReader:
    """`source`: the CSV, or a folder that holds it. images: where the images are, found if not given.

    several: an image may have several rows, one per face, because faces are cut out. None: only in tables that have
    boxes and no points.
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
            head = next(table.blocks(_HEAD), None)
            if head is None:
                raise UserError(
                    f"{self.path}: there are no rows below the header; copy the file again from its source."
                )
            folders = _folders(self.path.parent, images)
            self.mapping = mapping or guess_mapping(table, head, folders=folders)
            self.mapping.check(table.header, file=self.path.name)
            self.several = bool(self.mapping.crop) or (self.boxes_only if several is None else several)
            self.images = self._images(head, folders)
            self.schema = self._schema(head) if self.mapping.keypoints else None

    @property
    def boxes_only(self) -> bool:
        """Whether the table has the boxes of faces and none of their points."""
        return bool(self.mapping.box) and not self.mapping.keypoints

    def count(self) -> tuple[int, bool]:
        """Lines of the file, without the header."""
        with reading(self.path), open_regular(self.path) as file:
            lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
            file.seek(max(self.path.stat().st_size - 1, 0))
            lines += file.read(1) != b"\n"
        return lines - 1, True

    def chunks(self, schema: KeypointSchema, *, progress: Progress, size: int = CHUNK) -> Generator[Chunk]:
        """Rows in the order of the file; those whose image cannot be read are left out and listed."""
        seen: dict[str, list[Place]] = {}
        with open_table(self.path) as table:
            for rows in table.blocks(size):
                names = self._names(rows, seen)
                labels = LabelRows(rows, self.mapping, schema)
                self._check_cut(rows)
                progress(rows.read / table.size, f"Reading {names[-1].image}")
                yield self._chunk(names, rows, labels)

    def _names(self, rows: Rows, seen: dict[str, list[Place]]) -> list[_Name]:
        column = self.mapping.image
        names = []
        for place, name in zip(rows.places, rows.text(column), strict=True):
            if not name:
                raise UserError(f"{place.at(column)}: the name of the image is missing; add it or remove the row.")
            seen.setdefault(name, []).append(place)
            if len(seen[name]) > 1 and not self.several:
                raise UserError(
                    f"{place.at(column)}: {name} is in row {seen[name][0].row} already; remove or rename one of the two,"
                    " or crop the faces (--crop box or --crop points)."
                )
            names.append(_Name(name, face_name(name, len(seen[name]))))
        return names

    def _check_cut(self, rows: Rows) -> None:
        """A last row without a line end was cut off where its last point is half there or has fewer decimals than all
        others.
        """
        if rows.ended or not self.mapping.keypoints or self.header[-1] != self.mapping.keypoints[-1].y:
            return
        *cells, last = rows.raw(self.header[self.header.index(self.mapping.keypoints[0].x) :])[-1]
        decimals = {len(cell.partition(".")[2]) for cell in cells if "." in cell}
        shorter = len(decimals) == 1 and len(last.partition(".")[2]) < min(decimals)
        if cells[-1] and (not last or shorter):
            place = rows.places[-1].at(self.header[-1])
            raise UserError(f"{place}: the file ends within this cell ({last!r}); it was cut off, so copy it again.")

    def _chunk(self, names: list[_Name], rows: Rows, labels: LabelRows) -> Chunk:
        boxes, crops = face_rows.boxes(rows, self.mapping), face_rows.crops(rows, self.mapping)
        subsets = face_rows.subsets(rows, self.mapping)
        paths = [_existing(self.images, name.image) for name in names]
        different = list(dict.fromkeys(paths))
        examined = dict(zip(different, examine_files(different), strict=True))
        sizes, kept = [], []
        for i, path in enumerate(paths):
            seen = examined[path]
            if isinstance(seen, Examined):
                sizes.append(seen)
                kept.append(i)
            else:
                self.findings.left_out.append(rows.places[i].problem(f"left out: {seen}", self.mapping.image))
        labels = labels.keep(kept)
        widths = np.array([seen.width for seen in sizes], np.int32)
        heights = np.array([seen.height for seen in sizes], np.int32)
        found, flags = labels.labels(widths, heights, self.findings)
        batch = SampleBatch(
            names=tuple(names[i].face for i in kept),
            sources=tuple(f"{self.path.name}#{place.row}" for place in labels.places),
            labels=found,
            widths=widths,
            heights=heights,
            groups=tuple(labels.groups),
            splits=labels.splits,
            paths=tuple(paths[i].absolute() for i in kept),
            source_cells=labels.source_cells(),
            flags=flags,
            crops=None if crops is None else crops[kept],
            boxes=None if boxes is None else boxes[kept],
            subsets=tuple(subsets[i] for i in kept) if subsets else (),
        )
        looks = np.array([seen.look for seen in sizes], np.uint8).reshape(-1, 16, 16)
        return Chunk(batch, looks, labels.given)

    def _images(self, head: Rows, folders: Sequence[Path]) -> Path:
        """The folder in which the first rows' images are. Raises UserError where none is."""
        names = head.text(self.mapping.image)[:20]
        for folder in folders:
            if any(_is_there(_existing(folder, name)) for name in names):
                return folder
        where = folders[0] if len(folders) == 1 else self.path.parent
        raise UserError(
            f"{self.path}, row 1 (line 2), column {self.mapping.image}: the image {names[0]!r} is not in {where};"
            " give the folder of the images with --images."
        )

    def _schema(self, head: Rows) -> KeypointSchema:
        """The known schema, or one made of the column names, its template the mean of the first complete faces."""
        schema = self.mapping.schema()
        if schema.name in SCHEMAS:
            return schema
        points = head.numbers([column for pair in self.mapping.pairs(schema) for column in pair])
        complete = points[np.isfinite(points).all(axis=1)].reshape(-1, len(schema), 2)
        return schema_from_names(schema.keypoints, mean=complete.mean(axis=0) if len(complete) else None)


def find_csv(source: Path) -> Path:
    """The CSV of a folder: `labels.csv`, else the only one. Raises UserError where it is not clear which."""
    if not source.is_dir():
        return source
    found = sorted(p for p in source.glob("*.csv") if p.name != PERSONS and not p.name.startswith("."))
    if len(found) > 1:
        found = [p for p in found if p.name.lower() == LABELS] or found
    if not found:
        raise UserError(f"{source}: there is no CSV file in this folder; give the CSV and the folder of the images.")
    if len(found) > 1:
        names = ", ".join(p.name for p in found[:4])
        raise UserError(f"{source}: there are several CSV files ({names}); give the one to import.")
    return found[0]


def guess_mapping(table: Table, head: Rows, *, folders: Sequence[Path]) -> ColumnMapping:
    """Columns by their names; the image column also by its cells, which name existing files."""
    image = named(table.header, IMAGE_NAMES)
    if not image or not _names_files(head, image, folders):
        outer = dict.fromkeys((*table.header[:_OUTER], *table.header[-_OUTER:]))
        image = next((c for c in outer if _names_files(head, c, folders)), image)
    if not image or is_kaggle_header(table.header):
        raise UserError(f"{table.path}, line 1: the column image with the images' file names is missing; add it.")
    (box, corners), crop = find_box(table.header), find_crop(table.header)
    keypoints = find_keypoints(table.header, file=table.name, taken=(image, *box, *crop))
    if not keypoints and not box:
        raise UserError(
            f"{table.path}, line 1: the keypoint columns (left_eye_center_x, left_eye_center_y, ...) are missing; add them."
        )
    keypoints = with_states(keypoints, table.header, head.text)
    keypoints = with_known_names(with_flags(keypoints, table.header))
    taken = {image, *box, *crop, *(c for k in keypoints for c in (k.x, k.y, k.state))}
    rest = [column for column in table.header if column not in taken]
    group = named(rest, GROUP_NAMES)
    if group.lower() == "id" and len(set(head.text(group))) == len(head):
        group = ""  # it numbers the rows, so it groups nothing
    split = next((c for c in (named(rest, (n,)) for n in SPLIT_NAMES) if c and _names_splits(head, c)), "")
    subset = named([column for column in rest if column not in (group, split)], SUBSET_NAMES)
    return ColumnMapping(
        image, keypoints, group=group, split=split, subset=subset, box=box, box_corners=corners, crop=crop
    )


def _names_splits(head: Rows, column: str) -> bool:
    """Whether a column is one of splits: `split` in any case, others where no word of theirs is anything else."""
    words = {word for word in head.text(column) if word}
    return column.lower() == "split" or any(split_of(word) for word in words) or column.lower() not in SUBSET_NAMES


def _names_files(head: Rows, column: str, folders: Sequence[Path]) -> bool:
    names = head.text(column)[:5]
    return any(_is_there(_existing(folder, name)) for name in names if name for folder in folders)


def _folders(beside: Path, images: Path | None) -> list[Path]:
    if images is not None:
        if not images.is_dir():
            raise UserError(f"{images}: there is no such folder; give the folder of the images.")
        return [images]
    below = [beside / name for name in _SUBFOLDERS if (beside / name).is_dir()]
    others = sorted(p for p in beside.iterdir() if p.is_dir() and p not in below and not p.name.startswith("."))
    return [beside, *below, *others[:50]]


def _existing(folder: Path, name: str) -> Path:
    """The image's file; a name without a suffix gets the one that is there."""
    path = folder / name.replace("\\", "/")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return path
    tries = (path.with_name(path.name + suffix) for suffix in IMAGE_SUFFIXES if path.name)
    return next((p for p in tries if _is_there(p)), path)


def _is_there(path: Path) -> bool:
    """Whether this file exists; a cell may hold what no file can be called."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
