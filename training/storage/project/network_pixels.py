"""All images of a project at a network's input size, in one memory-mapped file.

`pixels/network-96x1-DIGEST.npy` is named by side, channels and a digest of the source images. It is created when a run
needs it, reused by later runs, and replaced after samples were added or image files changed. It can be deleted at any
time.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.files.arrays import map_array
from training.files.json_values import read_json
from training.files.replacing import replacing
from training.files.sentences import reading, writing
from training.processes.locks import Lock
from training.storage.project.pixels import PIXELS, find_image
from training.storage.project.project import Project

_CHUNK = 256
_RESERVE = 64 << 20  # bytes to leave free on the disk
_MAX_NOTES = 256 << 20  # bytes: a sentence for each of a million images


@dataclass(frozen=True)
class MappedImages:
    """Rows of an image file, usable like an array uint8 [N, S, S(, 3)]: len, shape and [rows].

    Only requested rows are read, and the system may drop them from memory again.
    """

    pixels: np.ndarray  # all images of the file, memory-mapped
    rows: np.ndarray  # int64 [N]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the equivalent array."""
        return (len(self.rows), *self.pixels.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """The images of these rows, in memory, read in file order."""
        wanted = self.rows[rows]
        ascending, place = np.unique(wanted, return_inverse=True)
        return self.pixels.take(ascending, axis=0)[place]


def network_images(
    project: Project, ids: np.ndarray, *, size: int, channels: int
) -> tuple[MappedImages, dict[int, str]]:
    """The readable images of the samples, [N, size, size(, 3)], and id -> error for the others.

    Writes the file if it does not exist. Raises UserError if the disk is too small or not writable.
    """
    kind = f"network-{size}x{channels}"
    folder = project.path / PIXELS
    with writing(folder):
        folder.mkdir(exist_ok=True)
    path = folder / f"{kind}-{_digest(project)}.npy"
    if not _is_there(path):
        with _only_writer(folder):
            if not _is_there(path):  # unless another process has just written it
                _write(project, path, size=size, channels=channels)
                _remove_others(folder, kind, path)
    pixels, gone = _open(path, _shape(project, size, channels))
    unreadable = {i: gone[i] for i in ids.tolist() if i in gone}
    return MappedImages(pixels, ids[~np.isin(ids, list(unreadable))] - 1), unreadable


def _is_there(path: Path) -> bool:
    return path.is_file() and _notes(path).is_file()


def _open(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, dict[int, str]]:
    """The file's images, memory-mapped, and id -> error of unreadable ones. Raises UserError.

    shape: that they must have."""
    try:
        with reading(path):
            pixels, notes = map_array(path), read_json(_notes(path), limit=_MAX_NOTES)
        if pixels.dtype != np.uint8 or pixels.shape != shape:
            raise ValueError(f"it holds {pixels.dtype} {pixels.shape} instead of uint8 {shape}")
        return pixels, {int(i): str(text) for i, text in notes.items()}
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error}). Delete it; it will be created again.") from error


def _notes(path: Path) -> Path:
    """The accompanying file with the errors of unreadable images, whose rows are black."""
    return path.with_suffix(".json")


def _digest(project: Project) -> str:
    """Digest of all samples' images; image files count by path, size and modification time."""
    database = project.database
    folders = {
        number: (near, absolute) for number, near, absolute in database.all("SELECT id, near, absolute FROM folders")
    }
    found = hashlib.sha256()
    for file, row, folder, name in database.sql.execute(
        "SELECT pixel_file, pixel_row, folder, file FROM samples ORDER BY id"
    ):
        found.update(
            f"{file},{row}\n".encode() if file is not None else _file_stamp(project.path, *folders[folder], name)
        )
    for crop in database.sql.execute("SELECT id, crop_x, crop_y, crop_side FROM faces ORDER BY id"):
        found.update(f"{crop}\n".encode())
    return found.hexdigest()[:16]


def _shape(project: Project, size: int, channels: int) -> tuple[int, ...]:
    return (len(project), size, size, *((3,) if channels == 3 else ()))


def _file_stamp(project: Path, near: str, absolute: str, name: str) -> bytes:
    stamp = (-1, -1)
    with suppress(OSError):
        about = find_image(project, near, absolute=absolute, file=name).stat()
        stamp = (about.st_size, about.st_mtime_ns)
    return f"{absolute}/{name},{stamp}\n".encode("utf-8", "surrogateescape")


def _write(project: Project, path: Path, *, size: int, channels: int) -> None:
    ids, shape = project.ids(), _shape(project, size, channels)
    _check_space(path.parent, int(np.prod(shape)))
    unreadable: dict[int, str] = {}
    with replacing(path) as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for start in range(0, len(ids), _CHUNK):
            file.write(read_images(project, ids[start : start + _CHUNK], shape[1:], unreadable).data)
        with replacing(_notes(path)) as notes:  # first, so that the images never exist without the notes
            notes.write(json.dumps(unreadable).encode())


def read_images(project: Project, ids: np.ndarray, shape: tuple[int, ...], unreadable: dict[int, str]) -> np.ndarray:
    """The images [B, *shape] at network size; unreadable ones are black, with id -> error added to `unreadable`."""
    size, channels = shape[0], 1 if len(shape) == 2 else 3
    try:
        return np.ascontiguousarray(project.images(ids, size=size, channels=channels))
    except UserError:  # find out which of them
        images = np.zeros((len(ids), *shape), np.uint8)
        for n, sample in enumerate(ids.tolist()):
            try:
                images[n] = project.images(ids[n : n + 1], size=size, channels=channels)[0]
            except UserError as error:
                unreadable[sample] = str(error)
        return images


def _check_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _RESERVE:
        raise UserError(
            f"The images of this run take {size / 1e9:,.1f} GB, too much for memory, so they must be stored in "
            f"{folder}, where only {free / 1e9:,.1f} GB are free. Free some space, or train with a smaller input size."
        )


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Wait until no other process writes such a file, and remove leftovers of killed ones."""
    with writing(folder), Lock(folder / ".network.lock"):
        for part in folder.glob(".network-*.part"):
            part.unlink(missing_ok=True)
        yield


def _remove_others(folder: Path, kind: str, kept: Path) -> None:
    """Remove outdated files of this kind; trainings that have them open can still read them."""
    for path in folder.glob(f"{kind}-*"):
        if path.stem != kept.stem:
            with suppress(PermissionError):  # Windows, while a training reads it: the next one removes it
                path.unlink(missing_ok=True)
