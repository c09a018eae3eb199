"""How much memory the process may still use, within the machine and its control groups."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_UNLIMITED = 1 << 60  # control groups v1 report a larger number where there is no limit


def free_memory(root: Path = Path("/")) -> int:
    """Bytes that can be allocated without swapping. root: of the system's files."""
    return max(0, min(_of_machine(root), _of_group(root)))


def _of_machine(root: Path) -> int:
    """What Linux and Windows report as available; elsewhere half of the installed memory."""
    try:
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass  # not Linux
    if sys.platform == "win32":
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status.available)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of Windows."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("available", ctypes.c_uint64),
        ("others", ctypes.c_uint64 * 5),
    )


def _of_group(root: Path) -> int:
    """What the control group (of a container or batch job) leaves, counting its cached files as free."""
    group = root / "sys/fs/cgroup"
    found = [
        _left(folder, *names)
        for own in _own_groups(root)
        for folder, names in (
            (group / own, ("memory.max", "memory.current", "inactive_file")),
            (group / "memory" / own, ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")),
        )
    ]
    return min(found)


def _own_groups(root: Path) -> list[str]:
    """The process's control groups and their parents, as paths; "" is the outermost."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return [""]
    paths = {
        line.split(":", 2)[2].strip("/")
        for line in lines
        if line.count(":") >= 2 and line.split(":")[1] in ("", "memory")
    }
    return sorted({"", *(parent.as_posix() for p in paths for parent in (Path(p), *Path(p).parents) if parent.name)})


def _left(folder: Path, limit: str, used: str, cached: str) -> int:
    try:
        most = int((folder / limit).read_text())
        if most > _UNLIMITED:
            return _UNLIMITED
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return most - int((folder / used).read_text()) + int(stat.get(cached, 0))
    except (OSError, ValueError):  # no such group, or "max": no limit
        return _UNLIMITED
