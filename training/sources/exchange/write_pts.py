"""300-W `.pts` files with their images, in folders train, val and test."""

from __future__ import annotations

import os
import shutil
import uuid
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from training.errors import UserError
from training.faces.images.reading import IMAGE_SUFFIXES, check_header, read_image_bytes
from training.faces.labels.samples import Split
from training.files.names import inside
from training.files.regular import open_regular
from training.files.replacing import replace, sweep_parts
from training.files.safe_names import safe_names
from training.files.sentences import reading, writing
from training.progress import Progress
from training.sources.exchange.values import Values, in_chunks
from training.sources.exchange.written_images import png_bytes
from training.sources.formats.image_files import folder_split
from training.sources.formats.image_folder import PERSONS
from training.sources.formats.pts.schema_file import KEYPOINTS, write_keypoints
from training.sources.formats.pts.text import ORIGIN, text_of_cells

_SHOWN = 5  # files that are left out, named one by one


def write_pts(values: Values, out: Path, progress: Progress) -> tuple[int, list[str]]:
    """A new folder: each labelled sample's image, its `.pts`, persons.csv where there are groups, and keypoints.json.

    Files are copied as they are, also where the sample is cut out of one; pixels become PNG. A missing point is `nan
    nan`.
    """
    check_folder(out)
    place = out.resolve() if out.is_symlink() else out
    sweep_parts(place)
    part = place.with_name(f".{place.name[:100]}.{uuid.uuid4().hex[:8]}.part")
    with writing(out):
        try:
            part.mkdir()
            folder = _Folder(values, part)
            folder.write(progress)
            replace(part, place)
        except UserError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise UserError(
                str(error).replace(str(part), str(out))
            ) from error  # the user does not know the temporary folder
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    return folder.count, folder.notes()


def check_folder(out: Path) -> None:
    """Raise UserError unless `out` is new or an empty folder."""
    with writing(out):
        if os.path.lexists(out) and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"{out}: it is not empty; give a new or empty folder.")


class _Folder:
    """The folder while it is written. count: faces in it."""

    def __init__(self, values: Values, folder: Path) -> None:
        self.values, self.folder = values, folder
        self.count = self._holes = self._empty = 0
        self._no_images: list[str] = []
        project = values.project
        self.groups = project.groups()
        names, index = project.names(), project.index()
        kept = index.ids[index.kept].tolist()
        wanted = [_in_split(names[i - 1], Split(int(index.splits[i - 1]))) for i in kept]
        safe = safe_names(wanted, reserved=(PERSONS, KEYPOINTS), suffixes=(*IMAGE_SUFFIXES, ".pts"))
        self.names = dict(zip(kept, safe, strict=True))

    def write(self, progress: Progress) -> None:
        """Raises UserError where there is no face to write."""
        ids = self.values.project.kept_ids()
        persons: dict[PurePosixPath, list[tuple[str, str]]] = defaultdict(list)
        for some in in_chunks(ids):
            progress(int(some[0] - 1) / int(ids[-1]), f"Writing {self.names[int(some[0])]}")
            found = zip(some.tolist(), self.values.points(some), self.values.cells(some, origin=ORIGIN), strict=True)
            for sample, points, cells in found:
                image = self._face(sample, points, cells)
                if image is not None and self.groups[sample - 1]:
                    persons[image.parent].append((image.name, self.groups[sample - 1]))
        if not self.count:
            raise UserError(f"{self.values.project.path}: {self._nothing()}")
        self._write_persons(persons)
        write_keypoints(self.folder, self.values.project.schema)

    def notes(self) -> list[str]:
        """What the folder lacks."""
        notes = [f"{self._holes:,} faces have missing points, which are written as nan nan."] if self._holes else []
        notes += [f"{self._empty:,} faces without any point were left out."] if self._empty else []
        notes += [f"Left out: {sentence}" for sentence in self._no_images[:_SHOWN]]
        more = len(self._no_images) - _SHOWN
        return [*notes, f"{more:,} more were left out because their files are not images."] if more > 0 else notes

    def _nothing(self) -> str:
        if self._no_images:
            return f"no image can be copied, so there is nothing to export. The first: {self._no_images[0]}"
        return "there is no face with a point to export; label some first."

    def _face(self, sample: int, points: np.ndarray, cells: list[str]) -> PurePosixPath | None:
        """The image's name below the folder; None if the face is left out."""
        if np.isnan(points).all():
            self._empty += 1
            return None
        image = self._image(sample)
        if image is not None:
            (self.folder / image).with_suffix(".pts").write_text(text_of_cells(cells), encoding="ascii")
            self.count, self._holes = self.count + 1, self._holes + bool(np.isnan(points).any())
        return image

    def _image(self, sample: int) -> PurePosixPath | None:
        name = PurePosixPath(self.names[sample])
        path = self.values.project.sample(sample).path
        if path is None:
            name = name.with_suffix(".png")
            image, target = self.values.project.image(sample), inside(self.folder, str(name))
            with writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(png_bytes(image))
            return name
        with reading(path):
            path.stat()
        try:
            data = _image_bytes(path)
        except UserError as error:
            self._no_images.append(str(error))
            return None
        name = name.with_suffix(path.suffix)
        target = inside(self.folder, str(name))
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return name

    def _write_persons(self, persons: Mapping[PurePosixPath, list[tuple[str, str]]]) -> None:
        import pandas as pd

        for folder, rows in persons.items():
            table = pd.DataFrame(rows, columns=["image", "person"])
            table.to_csv(self.folder / folder / PERSONS, index=False, lineterminator="\n")


def _image_bytes(path: Path) -> bytes:
    """What is copied. Raises UserError for anything but an image: the path may be a stranger's choice."""
    with reading(path):
        open_regular(path).close()
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UserError(f"{path}: the name does not end as that of an image ({' '.join(IMAGE_SUFFIXES)}).")
    data = read_image_bytes(path)
    check_header(data, name=str(path))
    return data


def _in_split(name: str, split: Split) -> str:
    parts = [part for part in name.replace("\\", "/").split("/")[:-1] if part not in ("", ".", "..")]
    return name if folder_split(parts[::-1]) == split else f"{split.word}/{name}"
