"""Kaggle's Facial Keypoints Detection files: coordinates and the pixels of the image as text in one CSV row."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.faces.labels.near_duplicates import looks_of
from training.faces.labels.samples import SampleBatch, Split
from training.faces.labels.schema import KAGGLE_15, KeypointSchema
from training.progress import Progress
from training.sources.formats.problems import Findings, Place
from training.sources.formats.reader import CHUNK, Chunk
from training.sources.formats.tables.columns import (
    GROUP_NAMES,
    SPLIT_NAMES,
    ColumnMapping,
    find_keypoints,
    named,
    require_known,
)
from training.sources.formats.tables.label_rows import LabelRows
from training.sources.formats.tables.pixel_text import PixelTextError, parse_pixels
from training.sources.formats.tables.table import Line, Rows, Table, open_table

PIXELS = "image"
IMAGE_ID = "imageid"
_CHUNK_PIXELS = 2 << 20  # per chunk: 227 images of 96 x 96, or a large one
IMAGE_ID_MARK = "ImageId="  # in a sample's source: what a submission's table calls the image


def kaggle_mapping(header: Sequence[str], *, file: str) -> ColumnMapping:
    """The columns of a Kaggle file. Raises UserError where the pixel column or one of a known schema's is missing."""
    pixels = named(header, (PIXELS, "pixels"))
    if not pixels:
        raise UserError(
            f"{file}, line 1: the column Image with the pixels is missing; give Kaggle's training.csv or test.csv."
        )
    keypoints = find_keypoints(header, file=file, taken=(pixels,))
    mapping = ColumnMapping(pixels, keypoints, group=named(header, GROUP_NAMES[:-1]), split=named(header, SPLIT_NAMES))
    require_known(mapping, KAGGLE_15, file=file)
    if not keypoints and not named(header, (IMAGE_ID,)):
        raise UserError(
            f"{file}, line 1: there are neither keypoint columns (left_eye_center_x, ...) nor an ImageId column; "
            "give Kaggle's training.csv or test.csv."
        )
    return mapping


class KaggleReader:
    """`training.csv`, `test.csv`, or the folder that holds them. Images are square, all of one size."""

    def __init__(self, source: Path, *, mapping: ColumnMapping | None = None) -> None:
        self.source = source
        self.findings = Findings()
        self.paths = _files(source)
        self.mappings: list[ColumnMapping] = []
        for path in self.paths:
            with open_table(path) as table:
                given = mapping if mapping and path == self.paths[0] else kaggle_mapping(table.header, file=path.name)
                given.check(table.header, file=path.name)
                self.mappings.append(given)
        labelled = [m for m in self.mappings if m.keypoints]
        self.schema = labelled[0].schema() if labelled else None
        self.mapping = self.mappings[0]
        self._side = 0

    def count(self) -> tuple[int, bool]:
        """Estimated from the length of the first rows."""
        total = 0
        for path in self.paths:
            with open_table(path) as table:
                reads = [line.read for line in islice(table.lines(), 60)]
            each = (reads[-1] - reads[0]) / (len(reads) - 1) if len(reads) > 1 else math.inf
            total += len(reads) + round((path.stat().st_size - reads[-1]) / each) if reads else 0
        return total, False

    def chunks(self, schema: KeypointSchema, *, progress: Progress, size: int = CHUNK) -> Generator[Chunk]:
        """All rows of all files in order."""
        total = sum(path.stat().st_size for path in self.paths)
        before = 0
        for path, mapping in zip(self.paths, self.mappings, strict=True):
            with open_table(path) as table:
                part = progress.part(before / total, (before + table.size) / total)
                yield from _File(table, mapping, schema, self).chunks(part, size)
                before += table.size

    def square(self, pixels: np.ndarray, place: Place, column: str, *, cut: bool) -> np.ndarray:
        """The pixels of a row as [side, side]; all rows must have as many."""
        side = math.isqrt(len(pixels))
        self._side = self._side or (side if side * side == len(pixels) else 0)
        if len(pixels) and len(pixels) == self._side**2:
            return pixels.reshape(self._side, self._side)
        wanted = f"{self._side**2:,} as in the rows before" if self._side else "a square number (9,216 for 96 x 96)"
        what = f"the image has {len(pixels):,} pixels, not {wanted}"
        if cut:
            raise UserError(f"{place.at(column)}: {what}, and the file ends there; it was cut off, so copy it again.")
        raise UserError(f"{place.at(column)}: {what}; correct or remove this row.")


class _File:
    """One of the files, while it is read."""

    def __init__(self, table: Table, mapping: ColumnMapping, schema: KeypointSchema, reader: KaggleReader) -> None:
        self.table, self.mapping, self.schema, self.reader = table, mapping, schema, reader
        self.id_column = named(table.header, (IMAGE_ID,))
        self.lines: list[Line] = []  # of the next chunk
        self.pixels = np.zeros((0, 0, 0), np.uint8)  # room for its images
        self.seen: dict[str, Place] = {}

    def chunks(self, progress: Progress, size: int) -> Iterator[Chunk]:
        found = False
        for line in self.table.lines():
            found = True
            if line.place.row % 32 == 1:
                progress(line.read / self.table.size, f"Reading {self.table.name}, row {line.place.row:,}")
            self._take(line, size)
            if len(self.lines) == len(self.pixels):
                yield self._chunk()
        if not found:
            raise UserError(
                f"{self.table.path}: there are no rows below the header; copy the file again from its source."
            )
        if self.lines:
            yield self._chunk()

    def _take(self, line: Line, size: int) -> None:
        column, place = self.mapping.image, line.place
        rest, text = self.table.cut_out(line, column)
        try:
            pixels = parse_pixels(text)
        except PixelTextError as error:
            raise UserError(f"{place.at(column)}: {error}; correct or remove this row.") from None
        image = self.reader.square(pixels, place, column, cut=not line.ended)
        if not self.lines:
            self.pixels = np.empty((min(size, max(1, _CHUNK_PIXELS // image.size)), *image.shape), np.uint8)
        self.pixels[len(self.lines)] = image
        self.lines.append(rest)

    def _numbers(self, rows: Rows) -> list[str]:
        """Kaggle's ImageIds, else the numbers of the rows."""
        if not self.id_column:
            return [str(place.row) for place in rows.places]
        numbers = []
        for place, text in zip(rows.places, rows.text(self.id_column), strict=True):
            if not text.isascii() or not text.isdigit() or len(text) > 12:
                raise UserError(f"{place.at(self.id_column)}: {text[:30]!r} is not a whole number; correct it.")
            number = str(int(text))
            first = self.seen.setdefault(number, place)
            if first is not place:
                raise UserError(
                    f"{place.at(self.id_column)}: {number} is in row {first.row} already; give each image its own."
                )
            numbers.append(number)
        return numbers

    def _chunk(self) -> Chunk:
        rows = self.table.rows(self.lines, without=self.mapping.image)
        numbers, labels = self._numbers(rows), LabelRows(rows, self.mapping, self.schema)
        pixels = self.pixels[: len(rows)]
        self.lines, self.pixels = [], np.zeros((0, 0, 0), np.uint8)
        sides = np.full(len(pixels), pixels.shape[1], np.int32)
        points, flags = labels.labels(sides, sides, self.reader.findings)
        splits, given = labels.splits, labels.given
        if not labels.columns:
            splits, given = np.full(len(pixels), Split.TEST, np.uint8), np.ones(len(pixels), bool)
        mark = IMAGE_ID_MARK if self.id_column else ""
        batch = SampleBatch(
            names=tuple(f"{self.table.path.stem}-{number:0>5}" for number in numbers),
            sources=tuple(f"{self.table.name}#{mark}{number}" for number in numbers),
            labels=points,
            widths=sides,
            heights=sides,
            groups=tuple(labels.groups),
            splits=splits,
            pixels=pixels,
            source_cells=labels.source_cells(),
            flags=flags,
        )
        return Chunk(batch, looks_of(pixels), given)


def _files(source: Path) -> tuple[Path, ...]:
    if not source.is_dir():
        return (source,)
    found = tuple(path for path in (source / "training.csv", source / "test.csv") if path.exists())
    if not found:
        raise UserError(f"{source}: there is neither training.csv nor test.csv in this folder; give the file itself.")
    return found


def is_kaggle_header(header: Sequence[str]) -> bool:
    """Whether a header says that the column Image holds pixels: Kaggle writes it last, after keypoints or ImageId."""
    titles = [title.lower() for title in header]
    return titles[-1:] == [PIXELS] and (len(titles) == 1 or titles[0] != PIXELS)
