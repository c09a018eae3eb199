"""Access to a project's images: memory-mapped arrays in `pixels/`, and image files elsewhere."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from training.errors import UserError
from training.faces.images.crops import cut, reduction
from training.faces.images.reading import read_image, read_reduced
from training.files.arrays import map_array
from training.files.sentences import RefusedFileError, reading
from training.storage.project.database import Database
from training.storage.project.guard import guarded

PIXELS = "pixels"
_KEPT_BYTES = 64 << 20  # larger images are decoded again for each of their faces


def pixel_path(folder: Path, number: int) -> Path:
    """The file of pixel array `number`."""
    return folder / PIXELS / f"{number:04d}.npy"


@contextmanager
def disk_sentences(folder: Path) -> Iterator[None]:
    """Turn the operating system's errors while writing into UserErrors."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"The disk of {folder} is full: nothing was written, and existing data is safe. "
                "Free some space and try again."
            ) from error
        raise UserError(
            f"{folder} cannot be written ({error.strerror}). Check its permissions, or choose another folder."
        ) from error


class PixelWriter:
    """Appends uint8 images of one size to a new `.npy` file."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        """`shape`: of one image, [H, W] or [H, W, 3]."""
        self.path, self.shape, self.count = path, shape, 0
        path.parent.mkdir(exist_ok=True)
        self._file: BinaryIO = path.open("xb")
        self._header(0)

    def _header(self, count: int) -> None:
        """Write the header; NumPy pads it so that it can be rewritten with a larger first axis."""
        values = {"descr": "|u1", "fortran_order": False, "shape": (count, *self.shape)}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, values)

    def write(self, images: np.ndarray) -> None:
        """Append images [B, H, W(, 3)]."""
        self._file.write(np.ascontiguousarray(images, np.uint8).data)
        self.count += len(images)

    def close(self) -> None:
        """Write the final count and sync to disk."""
        self._header(self.count)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Remove the file, as far as a disk that fails lets it: what went wrong before is what matters."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


@guarded
def open_pixels(database: Database, number: int) -> np.ndarray:
    """The memory-mapped images of pixel file `number`, uint8 [N, H, W(, 3)].

    Raises UserError, naming the file, if it is missing or does not match the database.
    """
    path = pixel_path(database.folder, number)
    row = database.one("SELECT count, height, width, channels FROM pixel_files WHERE id = ?", (number,))
    try:
        pixels = map_array(path)
    except FileNotFoundError:
        raise UserError(f"The project's image file {path} is missing. Restore it from a backup.") from None
    except RefusedFileError as error:
        raise UserError(f"The project's image file {path} cannot be read: {error.strerror}.") from error
    except (OSError, ValueError) as error:
        raise UserError(
            f"The project's image file {path} cannot be read ({error}). Restore it from a backup."
        ) from error
    if row is None or pixels.dtype != np.uint8 or pixels.shape != (*row[:3], *((3,) if row[3] == 3 else ())):
        raise UserError(
            f"The project's image file {path} does not match its database. Restore the right one from a backup."
        )
    return pixels


class ImageFiles:
    """Reads image files and crops samples from them, caching the last decoded file for photos with many faces."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._kept: tuple[np.ndarray, int] | None = None  # an image, and its reduction factor

    def read(self, path: Path, *, channels: int, crop: tuple[int, int, int] | None, enough: int) -> np.ndarray:
        """uint8 [H, W] or [H, W, 3], the crop of the file or all of it. Raises UserError naming the file.

        enough: a sufficient side of the crop; large JPEGs are decoded at 1/2, 1/4 or 1/8 of their size if that
        suffices.
        """
        if crop is None:
            return read_image(path, channels=channels)
        whole, by = self._whole(path, channels, reduction(crop, enough))
        x, y, side = crop
        return cut(whole, (x // by, y // by, side // by))

    def clear(self) -> None:
        """Drop the cached file."""
        self._key, self._kept = (), None

    def _whole(self, path: Path, channels: int, reduced: int) -> tuple[np.ndarray, int]:
        with reading(path):
            status = path.stat()
        key = (path, channels, reduced, status.st_mtime_ns, status.st_size)
        if self._kept is None or key != self._key:
            self.clear()
            kept = read_reduced(path, channels=channels, by=reduced)
            if kept[0].nbytes > _KEPT_BYTES:
                return kept
            self._key, self._kept = key, kept
        return self._kept


def find_image(project: Path, near: str, *, absolute: str, file: str) -> Path:
    """The path of an image file: at its location relative to the project (a moved tree), else at its absolute one."""
    beside = Path(os.path.normpath(project.parent / near / file))
    return beside if beside.is_file() else Path(absolute, file)
