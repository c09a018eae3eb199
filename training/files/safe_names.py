"""Names for many files below one folder, out of names that may be anybody's."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from training.files.names import safe_name

_PART = 150  # bytes: leaves room for suffixes and the names of temporary files
_PATH = 600  # bytes
_UNNAMED = "picture"


def safe_names(names: Sequence[str], *, reserved: Collection[str] = (), suffixes: Collection[str] = ()) -> list[str]:
    """Relative paths below a folder: no way up, no absolute path, nothing that a system forbids or that is too long.

    They differ without their suffix and without regard to case, so that each may get any of the `suffixes` (lower case)
    and still meets no other file or folder. reserved: names (lower case) that no folder on the way may have.
    """
    paths = [_relative(name, reserved) for name in names]
    folders = {_key(str(folder)) for path in set(paths) for folder in path.parents}
    used = {str(PurePosixPath(f).with_suffix("")) for f in folders if PurePosixPath(f).suffix in suffixes}
    numbers: dict[str, int] = defaultdict(lambda: 1)
    return [str(_free(path, used, numbers)) for path in paths]


def _relative(name: str, reserved: Collection[str]) -> PurePosixPath:
    cut = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    parts = [part for part in (_short(safe_name(part)) for part in cut) if part] or [_UNNAMED]
    folders = [f"_{part}" if part.lower() in reserved else part for part in parts[:-1]]
    while len("/".join([*folders, parts[-1]]).encode()) > _PATH:
        del folders[1 if len(folders) > 1 else 0]  # the first one may be the split
    return PurePosixPath(*folders, parts[-1])


def _short(part: str) -> str:
    """At most _PART bytes, the suffix kept."""
    if len(part.encode()) <= _PART:
        return part
    suffix = PurePosixPath(part).suffix
    suffix = suffix if len(suffix) < 10 else ""
    stem = part.removesuffix(suffix).encode()[: _PART - len(suffix.encode())].decode(errors="ignore")
    return safe_name(f"{stem.rstrip(' .')}{suffix}")


def _free(path: PurePosixPath, used: set[str], numbers: dict[str, int]) -> PurePosixPath:
    """The path, or the next one of this name with a number that is still free; it is used then."""
    base = key = _bare(path)
    candidate = path
    while key in used:
        numbers[base] += 1
        candidate = path.with_name(f"{path.stem}-{numbers[base]}{path.suffix}")
        key = _bare(candidate)
    used.add(key)
    return candidate


def _bare(path: PurePosixPath) -> str:
    return _key(str(path.with_suffix("")))


def _key(path: str) -> str:
    """The same for names that some file systems take for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
