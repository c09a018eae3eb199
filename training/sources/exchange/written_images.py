"""The folder of images that goes with an exported table: built beside it, put in place when complete."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from training.errors import UserError
from training.files.names import check_links, inside
from training.files.regular import read_bytes
from training.files.replacing import replace, sweep_parts
from training.files.sentences import writing


class WrittenImages:
    """Adds images to a folder and leaves other files there alone; after an exception none of its own stay.

    A process that is killed leaves complete images only, so that the same images can be written again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._part = folder.with_name(f".{folder.name[:100]}.{uuid.uuid4().hex[:8]}.part")
        self._names: list[str] = []
        self._placed: list[Path] = []
        self._made: list[Path] = []
        self._within: set[Path] = set()  # folders that no link leads out of

    def __enter__(self) -> WrittenImages:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is not None:
            self._take_back()
        shutil.rmtree(self._part, ignore_errors=True)

    def write(self, name: str, image: np.ndarray) -> None:
        """Write one image, not yet in place, unless it is there. name: relative, as `safe_names` gives them.

        Raises UserError where another file has its name.
        """
        data = png_bytes(image)
        with writing(self.folder / name):
            if self._is_there(name, data):
                return
            if not self._names:
                sweep_parts(self.folder)
            path = inside(self._part, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            self._names.append(name)

    def put_in_place(self) -> None:
        """Move what was written into the folder. Raises UserError where another file has taken a name meanwhile."""
        if not self._names:
            return
        with writing(self.folder):
            if not os.path.lexists(self.folder):
                replace(self._part, self.folder)
                self._placed = [self.folder / name for name in self._names]
                self._made = [Path(folder) for folder, _, _ in os.walk(self.folder)]
                return
        for name in self._names:
            path = self.folder / name
            with writing(path):
                if os.path.lexists(path):
                    raise _taken(path)
                self._make_folder(path.parent)
                replace(self._part / name, path)
                self._placed.append(path)

    def _is_there(self, name: str, data: bytes) -> bool:
        """Whether this very image is in the folder. Raises UserError if something else has its name."""
        path = self.folder / name
        if path.parent not in self._within:
            check_links(self.folder, path)
            self._within.add(path.parent)
        if not os.path.lexists(path):
            return False
        with suppress(OSError):
            if read_bytes(path, limit=len(data)) == data:
                return True
        raise _taken(path)

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make_folder(folder.parent)
            folder.mkdir()
            self._made.append(folder)

    def _take_back(self) -> None:
        for path in self._placed:
            with suppress(OSError):
                path.unlink()
        for folder in sorted(self._made, reverse=True):
            with suppress(OSError):  # others' files stay, and their folders
                folder.rmdir()


def _taken(path: Path) -> UserError:
    return UserError(f"{path}: another image has this name; export under another name, or move the folder.")


def png_bytes(image: np.ndarray) -> bytes:
    """An image uint8 [H, W] or [H, W, 3] RGB as PNG."""
    bgr = image if image.ndim == 2 else image[:, :, ::-1]
    done, data = cv2.imencode(".png", np.ascontiguousarray(bgr))
    if not done:
        raise OSError("an image cannot be encoded")
    return data.tobytes()
