"""NumPy arrays of files that may be anybody's: headers are checked before memory is taken, and nothing is unpickled."""

from __future__ import annotations

import math
import tokenize
import zipfile
from pathlib import Path

import numpy as np

from training.files.regular import open_regular

_HEADER_FAULTS = (ValueError, TypeError, EOFError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError)


def map_array(path: Path) -> np.ndarray:
    """The memory-mapped array of a `.npy` file. Raises OSError if it cannot be read, ValueError if it is damaged."""
    open_regular(path).close()
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except _HEADER_FAULTS as error:  # NumPy's parser of headers raises what it likes
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
