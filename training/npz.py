"""Arrays of `np.savez` read without trust: nothing is executed, and no memory is taken that the file does not hold."""

from __future__ import annotations

import math
import zipfile

import numpy as np


def read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """An array of `np.savez`. Raises ValueError where its header promises more than the file holds, before memory is taken."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as member:
        if info.compress_type != zipfile.ZIP_STORED or np.lib.format.read_magic(member) != (1, 0):
            raise ValueError(f"{name} is not as it was written")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or fortran or not 0 <= size <= min(info.file_size, info.compress_size):
            raise ValueError(f"{name} does not fit its file")
        return np.frombuffer(member.read(size), dtype).reshape(shape)
