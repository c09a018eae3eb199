"""Compares an import with the project's images, so that nothing is added twice and no two samples get the same name.

An image file is identified by its location. Names are paths below the source; if the project has such names from other
files, all names of the source are prefixed with its folder: second/00000.png. The same folder gets the same names each
time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from training.errors import UserError
from training.faces.images.crops import same_square
from training.faces.labels.samples import SampleBatch, face_name
from training.sources.formats.reader import Chunk
from training.storage.project.project import Project
from training.storage.project.tables.samples import files_of_samples
from training.words import counted

_File = tuple[str, str]  # folder with links resolved, and file name
_Crop = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Held:
    """A sample of the project. crop: None for the whole file; faceless: no face was detected in it."""

    id: int
    crop: _Crop | None
    faceless: bool


class KnownImages:
    """The images that a project had before an import. there: how many samples of the source are already in it."""

    def __init__(self, project: Project) -> None:
        self.there = 0
        self._files: dict[_File, list[_Held]] = {}
        self._places: dict[str, tuple[_File, ...]] = {}  # of each name; empty where the project stores the pixels
        self._real: dict[str, str] = {}
        self._seen: dict[str, _File] = {}  # all names of the source
        self._new: list[tuple[str, _File | None]] = []
        self._read(project)

    def _read(self, project: Project) -> None:
        for sample in files_of_samples(project.database):
            folders = {self._folder(folder) for folder in sample.folders}
            self._places[sample.name] = tuple((folder, sample.file) for folder in folders)
            held = _Held(sample.id, sample.crop, sample.faceless)
            for place in self._places[sample.name]:
                self._files.setdefault(place, []).append(held)

    def _folder(self, path: str) -> str:
        if path not in self._real:
            self._real[path] = os.path.realpath(path)
        return self._real[path]

    def drop_files(self, chunk: Chunk) -> Chunk:
        """The chunk without image files that the project has any sample of, which need no face detection."""
        return self._drop(chunk, lambda held, _: bool(held))

    def take(self, chunk: Chunk) -> Chunk:
        """The chunk without samples that the project has: the same whole file, or about the same square of it.

        Raises UserError for pixels under an existing name.
        """
        batch = chunk.batch
        if batch.paths is not None:
            chunk = self._drop(chunk, _is_held)
            self._new += zip(chunk.batch.names, map(self._file, chunk.batch.paths or ()), strict=True)
            return chunk
        twice = next((name for name in batch.names if name in self._places), None)
        if twice is not None:
            raise UserError(f"The project already has a sample {twice}; import this source into a new project.")
        self._new += [(name, None) for name in batch.names]
        return chunk

    def _drop(self, chunk: Chunk, there: Callable[[list[_Held], _Crop | None], bool]) -> Chunk:
        batch, kept = chunk.batch, []
        for i, path in enumerate(batch.paths or ()):
            file = self._file(path)
            self._seen[batch.names[i]] = file
            if not there(self._files.get(file, []), _crop(batch, i)):
                kept.append(i)
        self.there += len(batch) - len(kept)
        rows = np.array(kept, np.int64)
        return Chunk(batch.take(rows), chunk.looks[rows], chunk.given[rows])

    def _file(self, path: Path) -> _File:
        return self._folder(str(path.parent)), path.name

    def names(self, folder: Path) -> tuple[list[str], str]:
        """The names of all samples taken, in order, and their prefix. folder: of the source's images.

        Raises UserError where no unique names can be found.
        """
        before = next((text for text in _beginnings(folder) if self._fits(text)), None)
        if before is None:
            raise UserError(
                f"{folder}: the project has other images with these names; rename this folder, then import it."
            )
        used = set(self._places)
        return [self._name(before + name, file, used) for name, file in self._new], before

    def _fits(self, before: str) -> bool:
        """Whether with this prefix no name stands for two files; several samples of one file are numbered."""
        return all(file in self._places.get(before + name, {file}) for name, file in self._seen.items())

    def _name(self, name: str, file: _File | None, used: set[str]) -> str:
        image, number = name, 2
        if name in used and file is not None:
            image = (PurePosixPath(name).parent / file[1]).as_posix()  # a.jpg for a#2.jpg
        while name in used:
            name, number = face_name(image, number), number + 1
        used.add(name)
        return name

    def notes(self, before: str) -> tuple[str, ...]:
        """Remarks: what the project already had, and the prefix of the names."""
        notes = []
        if self.there:
            kept = "is unchanged, with its" if self.there == 1 else "are unchanged, with their"
            notes.append(f"{counted(self.there, 'image')} that the project already has {kept} labels.")
        if before:
            notes.append(f"The project has other images with these names: the names of this source begin with {before}")
        return tuple(notes)

    def mates(self) -> dict[int, np.ndarray]:
        """For samples taken (by position) that are further faces of a photo in the project: the ids of its other
        faces."""
        held = {n: self._files.get(file, []) for n, (_, file) in enumerate(self._new) if file is not None}
        return {n: np.array([one.id for one in others], np.int64) for n, others in held.items() if others}


def _crop(batch: SampleBatch, i: int) -> _Crop | None:
    if batch.crops is None or not batch.crops[i, 2]:
        return None
    x, y, side = batch.crops[i].tolist()
    return x, y, side


def _is_held(held: list[_Held], crop: _Crop | None) -> bool:
    if crop is None:
        return bool(held)
    return any(not one.faceless if one.crop is None else same_square(one.crop, crop) for one in held)


def _beginnings(folder: Path) -> Iterator[str]:
    """ "", then the name of the folder, then that preceded by its parent's, and so on."""
    parts = Path(os.path.abspath(folder)).parts[1:]  # noqa: PTH100 - resolve() would follow links
    yield ""
    for first in range(len(parts) - 1, -1, -1):
        yield "/".join(parts[first:]) + "/"
