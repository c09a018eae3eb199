"""NumPy arrays of files that may be anybody's: headers are checked before memory is taken, and nothing is unpickled."""

from __future__ import annotations

import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from training.files.regular import open_regular

_HEADER_FAULTS = (
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
    RecursionError,
    MemoryError,
)
_ARCHIVE_FAULTS = (
    *_HEADER_FAULTS,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    IndexError,
    OverflowError,
    RuntimeError,  # encrypted
    NotImplementedError,
)
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}  # by version


def map_array(path: Path) -> np.ndarray:
    """The memory-mapped array of a `.npy` file. Raises OSError if it cannot be read, ValueError if it is damaged."""
    with open_regular(path) as file:
        try:
            shape, fortran, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
        except _HEADER_FAULTS as error:  # NumPy's parser of headers raises what it likes
            raise ValueError(str(error) or type(error).__name__) from error
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or min(shape, default=0) < 0 or size > os.fstat(file.fileno()).st_size - file.tell():
            raise ValueError("it is larger than its file")
        if not size:
            return np.empty(shape, dtype)
        order: Literal["F", "C"] = "F" if fortran else "C"
        return np.asarray(np.memmap(file, dtype, "r", file.tell(), shape, order))


def read_archive(path: Path, names: Sequence[str], *, optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Arrays of an uncompressed `.npz` by name; `optional` ones may be missing.

    Raises OSError if it cannot be read or is no file, ValueError if it is damaged.
    """
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                held = set(archive.namelist())
                wanted = (*names, *(name for name in optional if f"{name}.npy" in held))
                return {name: read_array(archive, name) for name in wanted}
        except _ARCHIVE_FAULTS as error:  # the parser of archives raises what it likes, too
            raise ValueError(str(error) or type(error).__name__) from error


def read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """An array of an uncompressed `.npz`. Raises KeyError if there is none of this name, OSError, zipfile.BadZipFile, and
    ValueError, before allocating memory, where the header promises more than the file holds."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as member:
        try:
            if info.compress_type != zipfile.ZIP_STORED or np.lib.format.read_magic(member) != (1, 0):
                raise ValueError(f"{name} is damaged")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
        except _HEADER_FAULTS as error:
            raise ValueError(str(error) or f"{name} is damaged") from error
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or fortran or not 0 <= size <= min(info.file_size, info.compress_size):
            raise ValueError(f"{name} is larger than its file")
        return np.frombuffer(member.read(size), dtype).reshape(shape)
