"""The user's own folder for logs, which nobody else can read or prepare.

Never a folder that all users share: there somebody else could put a link under the name of a file that we write.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from platformdirs import user_state_path

_FOLDER, _FILE = 0o700, 0o600  # modes: the owner only


def state_folder() -> Path:
    """The user's folder for logs, which need not exist; on Linux $XDG_STATE_HOME/fkp-studio."""
    return user_state_path("fkp-studio", appauthor=False)


def make_private(folder: Path) -> None:
    """Make the folder, if it is missing, and close it to everybody but its owner. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=_FOLDER)
    except FileExistsError:
        if folder.stat().st_mode & 0o077:
            folder.chmod(_FOLDER)


def open_log(path: Path) -> TextIO:
    """The file opened for appending, in a private folder, which is made; a link is not followed. Raises OSError."""
    make_private(path.parent)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(path, flags, _FILE), "a", encoding="utf-8")
