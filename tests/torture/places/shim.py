"""The library that counts a process's changes to files, and kills it or lets it fail at one of them."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("fault_shim.c")
FAULTS = ("kill", "torn", "ENOSPC", "EIO")
ERRORS = FAULTS[2:]  # after which a program goes on, and must say so


def compiler() -> str:
    """The C compiler; "" if there is none."""
    return shutil.which(os.environ.get("CC", "cc")) or ""


def preloaded(scratch: Path) -> dict[str, str]:
    """Compile it, and what a process's environment needs so that files below `scratch`/work are watched."""
    library = scratch / "fault_shim.so"
    command = [compiler(), "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return {"LD_PRELOAD": str(library), "FAULT_UNDER": f"{(scratch / 'work').resolve()}/"}


def arm(at: int, fault: str) -> None:
    """From now on the `at`th change of a file ends in `fault`. 0 only counts."""
    ctypes.CDLL(None).fault_set(ctypes.c_long(at), fault.encode())


def disarm() -> int:
    """Stop; returns how many changes there were."""
    library = ctypes.CDLL(None)
    library.fault_count.restype = ctypes.c_long
    count = int(library.fault_count())
    library.fault_set(ctypes.c_long(-1), b"")
    return count
