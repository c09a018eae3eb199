"""A folder of images: each with a 300-W `.pts` file beside it, or with no labels at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.faces.labels.labels import Labels
from training.faces.labels.samples import SampleBatch, Split
from training.faces.labels.schema import IBUG_68, KeypointSchema, schema_from_names
from training.progress import Progress
from training.sources.formats.image_files import (
    Examined,
    batched,
    examine_files,
    files_below,
    folder_split,
    is_image,
    passed_over,
)
from training.sources.formats.problems import Findings, Problem
from training.sources.formats.pts.layout_300w import Place300W, place_of, remarks
from training.sources.formats.pts.schema_file import read_keypoints
from training.sources.formats.pts.text import read_pts, read_pts_cells
from training.sources.formats.reader import CHUNK, Chunk, check_points, flags_of
from training.sources.formats.tables.columns import GROUP_NAMES, IMAGE_NAMES, named
from training.sources.formats.tables.table import open_table

PERSONS = "persons.csv"


@dataclass(frozen=True)
class _Item:
    image: Path
    points: Path | None
    name: str  # relative to the source, with / on every system
    group: str
    split: Split | None
    place: Place300W | None  # in the 300-W protocol


class FolderReader:
    """Images below a folder. labelled: with `.pts` files beside them; an image without one is imported without labels.

    protocol: the folders are those of 300-W, so they give the split and the subset.
    """

    def __init__(self, source: Path, *, labelled: bool, protocol: bool = False) -> None:
        self.source, self.labelled, self.protocol = source, labelled, protocol
        self.findings = Findings()
        if not source.is_dir():
            raise UserError(f"{source}: there is no such folder; give the folder with the images.")
        self._items = list(self._find())
        if not self._items:
            what = "no image with a .pts file beside it" if labelled else "no image"
            raise UserError(f"{source}: there is {what} in this folder or below it; choose another folder.")
        self.schema = self._schema() if labelled else None
        if protocol:
            self.findings.notes += remarks([item.place for item in self._items])

    def count(self) -> tuple[int, bool]:
        """The images found."""
        return len(self._items), True

    def chunks(self, schema: KeypointSchema, *, progress: Progress, size: int = CHUNK) -> Generator[Chunk]:
        """Images in the order of their paths."""
        done = 0
        for items in batched(self._items, size):
            progress(done / len(self._items), f"Reading {items[0].name}")
            done += len(items)
            yield self._chunk(list(items), schema)

    def _find(self) -> Iterator[_Item]:
        links: list[Path] = []
        files = list(files_below(self.source, lambda suffix: is_image(suffix) or suffix == ".pts", links=links))
        self.findings.notes += [note for note in (passed_over(links),) if note]
        points = (
            {path.with_suffix(""): path for path in files if path.suffix.lower() == ".pts"} if self.labelled else {}
        )
        images = [path for path in files if path.suffix.lower() != ".pts"]
        persons = {folder: _persons(folder / PERSONS) for folder in {path.parent for path in images}}
        for image in images:
            relative = image.relative_to(self.source)
            group = persons[image.parent].get(image.name, "")
            folders = (self.source.absolute().name, *relative.parts[:-1])
            place = place_of(folders) if self.protocol else None
            split = place.split if place else folder_split(folders[::-1])
            yield _Item(image, points.get(image.with_suffix("")), relative.as_posix(), group, split, place)
        alone = set(points) - {image.with_suffix("") for image in images}
        for path in sorted(points[stem] for stem in alone):
            sentence = f"{path}: there is no image of this name beside it, so it was left out; add the image."
            self.findings.left_out.append(Problem(sentence, path.name))

    def _schema(self) -> KeypointSchema:
        """From the first few files: 68 points are those of 300-W; others are named by keypoints.json, or numbered."""
        some = [read_pts(item.points) for item in islice((i for i in self._items if i.points), 25) if item.points]
        if not some:
            raise UserError(
                f"{self.source}: there is no .pts file beside an image; add them, or import the images alone."
            )
        count = Counter(len(points) for points in some).most_common(1)[0][0]
        said = read_keypoints(self.source)
        if said is not None and len(said) == count:
            return said
        if count == len(IBUG_68):
            return IBUG_68
        alike = np.stack([points for points in some if len(points) == count])
        return schema_from_names([f"point_{i}" for i in range(count)], mean=alike.mean(axis=0))

    def _chunk(self, items: list[_Item], schema: KeypointSchema) -> Chunk:
        found = examine_files([item.image for item in items])
        read = [(item, seen) for item, seen in zip(items, found, strict=True) if isinstance(seen, Examined)]
        for item, seen in zip(items, found, strict=True):
            if isinstance(seen, UserError):
                self.findings.left_out.append(Problem(f"Left out: {seen}", item.name))
        kept, sizes = [item for item, _ in read], [seen for _, seen in read]
        points = [self._points(item, schema) for item in kept]
        labels = Labels.from_points(np.array([found for found, _ in points]).reshape(len(kept), len(schema), 2))
        widths = np.array([seen.width for seen in sizes], np.int32)
        heights = np.array([seen.height for seen in sizes], np.int32)
        outside = check_points(labels, widths=widths, heights=heights)
        self._flag(kept, labels, outside)
        batch = SampleBatch(
            names=tuple(item.name for item in kept),
            sources=tuple((item.points or item.image).relative_to(self.source).as_posix() for item in kept),
            labels=labels,
            widths=widths,
            heights=heights,
            groups=tuple(item.group for item in kept),
            splits=np.array([item.split or 0 for item in kept], np.uint8),
            paths=tuple(item.image.absolute() for item in kept),
            flags=flags_of(outside, np.zeros_like(outside)),
            source_cells=tuple(cells for _, cells in points) if self.labelled else None,
            subsets=tuple(item.place.subset if item.place else "" for item in kept) if self.protocol else (),
        )
        looks = np.array([seen.look for seen in sizes], np.uint8).reshape(-1, 16, 16)
        return Chunk(batch, looks, np.array([item.split is not None for item in kept], bool))

    def _points(self, item: _Item, schema: KeypointSchema) -> tuple[np.ndarray, tuple[str, ...]]:
        if item.points is None:
            return np.full((len(schema), 2), np.nan), ()
        points, cells = read_pts_cells(item.points)
        if len(points) != len(schema):
            raise UserError(
                f"{item.points}: there are {len(points)} points, where {len(schema)} are expected ({schema.name});"
                " correct the file or take it out of the folder."
            )
        return points, cells

    def _flag(self, items: list[_Item], labels: Labels, outside: np.ndarray) -> None:
        for i, k in np.argwhere(outside):
            x, y = labels.points[i, k]
            file = str(items[i].points)
            sentence = (
                f"{file}, point {k + 1}: it lies at ({x:g}, {y:g}), outside the image; it was imported and flagged."
            )
            self.findings.flagged.append(Problem(sentence, file, int(k) + 1))


def _persons(path: Path) -> dict[str, str]:
    """File name -> group, from the table beside the images; empty where there is none."""
    if not path.exists():
        return {}
    with open_table(path) as table:
        image, who = named(table.header, IMAGE_NAMES), named(table.header, GROUP_NAMES)
        if not image or not who:
            raise UserError(f"{path}, line 1: the columns image and person are needed; add them or remove the file.")
        blocks = table.blocks(CHUNK)
        return {name: group for rows in blocks for name, group in zip(rows.text(image), rows.text(who), strict=True)}
