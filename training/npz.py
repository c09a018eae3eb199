"""Reads arrays of `np.savez` from untrusted files: no code is executed, and no more memory is used than the
file holds."""

from __future__ import annotations

import math
import zipfile

import numpy as np


def read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Raises ValueError, before allocating memory, where the header promises more than the file holds."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as member:
        if info.compress_type != zipfile.ZIP_STORED or np.lib.format.read_magic(member) != (1, 0):
            raise ValueError(f"{name} is damaged")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or fortran or not 0 <= size <= min(info.file_size, info.compress_size):
            raise ValueError(f"{name} is larger than its file")
        return np.frombuffer(member.read(size), dtype).reshape(shape)
