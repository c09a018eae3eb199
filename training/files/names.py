"""Names out of files, used as names of files: never trusted as paths."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from training.errors import UserError

_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*/\\', "_") | dict.fromkeys(map(chr, range(32)), "_"))
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)


def safe_name(name: str) -> str:
    """The name, changed where some system would not allow it for a file or folder; "" if nothing is left.

    Windows forbids some characters, trailing spaces and dots, and device names (CON, NUL...) with any extension.
    """
    allowed = name.translate(_FORBIDDEN).rstrip(" .")
    return f"_{allowed}" if _RESERVED.fullmatch(allowed) else allowed


def inside(folder: Path, name: str) -> Path:
    """The path of `name` (parts separated by "/") below `folder`.

    Raises UserError if it is empty, absolute, has a drive or a part "..", or cannot be a path: names come from files of
    strangers, and nothing may be written or read elsewhere because of one.
    """
    parts = PurePosixPath(name).parts
    foreign = PureWindowsPath(name)
    if not parts or "\0" in name or ".." in (*parts, *foreign.parts) or name.startswith("/") or foreign.drive:
        raise UserError(f"{name[:200]!r} leads out of the folder {folder}; rename it.")
    return folder.joinpath(*parts)


def check_links(folder: Path, path: Path) -> None:
    """Raise UserError where links below `folder` lead a path below it elsewhere: what is written would land there."""
    real = os.path.realpath(path.parent)
    if Path(os.path.realpath(folder)) not in (Path(real), *Path(real).parents):
        raise UserError(f"{path}: a link leads from here out of the folder {folder}; remove the link.")
