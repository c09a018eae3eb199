"""A folder of pictures: each with a 300-W `.pts` file beside it, or with no labels at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from training.data.formats.columns import GROUP_NAMES, IMAGE_NAMES, named
from training.data.formats.picture_files import (
    Examined,
    batched,
    examine_files,
    files_below,
    folder_split,
    is_picture,
)
from training.data.formats.problems import Findings, Problem
from training.data.formats.pts import read_pts
from training.data.formats.reader import CHUNK, Chunk, check_points, flags_of
from training.data.formats.table import cell_text, open_table
from training.data.keypoint_data import Labels
from training.data.progress import Progress
from training.data.samples import SampleBatch, Split
from training.data.schema import IBUG_68, KeypointSchema, schema_from_names
from training.errors import UserError

PERSONS = "persons.csv"


@dataclass(frozen=True)
class _Item:
    picture: Path
    points: Path | None
    name: str  # relative to the source, with / on every system
    group: str
    split: Split | None


class FolderReader:
    """Pictures below a folder. labelled: with `.pts` files beside them; a picture without one comes without labels."""

    def __init__(self, source: Path, *, labelled: bool) -> None:
        self.source, self.labelled = source, labelled
        self.findings = Findings()
        if not source.is_dir():
            raise UserError(f"{source}: there is no such folder; give the folder with the pictures.")
        self._items = list(self._find())
        if not self._items:
            what = "no picture with a .pts file beside it" if labelled else "no picture"
            raise UserError(f"{source}: there is {what} in this folder or below it; give another folder.")
        self.schema = self._schema() if labelled else None

    def count(self) -> tuple[int, bool]:
        """The pictures found."""
        return len(self._items), True

    def chunks(self, schema: KeypointSchema, *, progress: Progress, size: int = CHUNK) -> Iterator[Chunk]:
        """Pictures in the order of their paths."""
        done = 0
        for items in batched(self._items, size):
            progress(done / len(self._items), f"Reading {items[0].name}")
            done += len(items)
            yield self._chunk(list(items), schema)

    def _find(self) -> Iterator[_Item]:
        files = list(files_below(self.source, lambda suffix: is_picture(suffix) or suffix == ".pts"))
        points = (
            {path.with_suffix(""): path for path in files if path.suffix.lower() == ".pts"} if self.labelled else {}
        )
        pictures = [path for path in files if path.suffix.lower() != ".pts"]
        persons = {folder: _persons(folder / PERSONS) for folder in {path.parent for path in pictures}}
        for picture in pictures:
            relative = picture.relative_to(self.source)
            group = persons[picture.parent].get(picture.name, "")
            split = folder_split((self.source.name, *relative.parts[:-1])[::-1])
            yield _Item(picture, points.get(picture.with_suffix("")), relative.as_posix(), group, split)
        alone = set(points) - {picture.with_suffix("") for picture in pictures}
        for path in sorted(points[stem] for stem in alone):
            sentence = f"{path}: there is no picture of this name beside it, so it was left out; add the picture."
            self.findings.left_out.append(Problem(sentence, path.name))

    def _schema(self) -> KeypointSchema:
        """From the first few files: 68 points are 300-W's; any other number gets numbered points."""
        some = [read_pts(item.points) for item in islice((i for i in self._items if i.points), 25) if item.points]
        if not some:
            raise UserError(
                f"{self.source}: there is no .pts file beside a picture; add them, or import the pictures alone."
            )
        count = Counter(len(points) for points in some).most_common(1)[0][0]
        if count == len(IBUG_68):
            return IBUG_68
        alike = np.stack([points for points in some if len(points) == count])
        return schema_from_names([f"point_{i}" for i in range(count)], mean=alike.mean(axis=0))

    def _chunk(self, items: list[_Item], schema: KeypointSchema) -> Chunk:
        found = examine_files([item.picture for item in items])
        read = [(item, seen) for item, seen in zip(items, found, strict=True) if isinstance(seen, Examined)]
        for item, seen in zip(items, found, strict=True):
            if isinstance(seen, UserError):
                self.findings.left_out.append(Problem(f"Left out: {seen}", item.name))
        kept, sizes = [item for item, _ in read], [seen for _, seen in read]
        points = [self._points(item, schema) for item in kept]
        labels = Labels.from_points(np.array(points).reshape(len(kept), len(schema), 2))
        widths = np.array([seen.width for seen in sizes], np.int32)
        heights = np.array([seen.height for seen in sizes], np.int32)
        outside = check_points(labels, widths=widths, heights=heights)
        self._flag(kept, labels, outside)
        batch = SampleBatch(
            names=tuple(item.name for item in kept),
            sources=tuple((item.points or item.picture).relative_to(self.source).as_posix() for item in kept),
            labels=labels, widths=widths, heights=heights, groups=tuple(item.group for item in kept),
            splits=np.array([item.split or 0 for item in kept], np.uint8),
            paths=tuple(item.picture.absolute() for item in kept), flags=flags_of(outside, np.zeros_like(outside)),
        )  # fmt: skip
        looks = np.array([seen.look for seen in sizes], np.uint8).reshape(-1, 16, 16)
        return Chunk(batch, looks, np.array([item.split is not None for item in kept], bool))

    def _points(self, item: _Item, schema: KeypointSchema) -> np.ndarray:
        if item.points is None:
            return np.full((len(schema), 2), np.nan)
        points = read_pts(item.points)
        if len(points) != len(schema):
            raise UserError(
                f"{item.points}: there are {len(points)} points, where {len(schema)} are expected ({schema.name});"
                " correct the file or take it out of the folder."
            )
        return points

    def _flag(self, items: list[_Item], labels: Labels, outside: np.ndarray) -> None:
        for i, k in np.argwhere(outside):
            x, y = labels.points[i, k]
            file = str(items[i].points)
            sentence = (
                f"{file}, point {k + 1}: it lies at ({x:g}, {y:g}), outside the picture; it was imported and flagged."
            )
            self.findings.flagged.append(Problem(sentence, file, int(k) + 1))


def _persons(path: Path) -> dict[str, str]:
    """File name -> group, from the table beside the pictures; empty where there is none."""
    if not path.is_file():
        return {}
    with open_table(path) as table:
        image, group = named(table.header, IMAGE_NAMES), named(table.header, GROUP_NAMES)
        if not image or not group:
            raise UserError(f"{path}, line 1: the columns image and person are needed; add them or remove the file.")
        i, g = table.header.index(image), table.header.index(group)
        return {
            cell_text(row.cells[i], row.place, image).strip(): cell_text(row.cells[g], row.place, group).strip()
            for row in table.rows()
        }
