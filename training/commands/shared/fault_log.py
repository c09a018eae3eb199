"""The log file for unexpected errors."""

from __future__ import annotations

import platform
import tempfile
import time
import traceback
from pathlib import Path

from platformdirs import user_state_path

from training import __version__


def state_folder() -> Path:
    """The user's folder for logs; on Linux $XDG_STATE_HOME/fkp-studio."""
    return user_state_path("fkp-studio", appauthor=False)


def write_fault(words: list[str]) -> Path:
    """Append the current exception to the log; returns the log's path."""
    return append_fault(f"fkp {words}\n{traceback.format_exc()}")


def append_fault(text: str) -> Path:
    """Append a text with time and versions to the log; returns the log's path."""
    head = f"{time.strftime('%Y-%m-%d %H:%M:%S')} FKP Studio {__version__}, Python {platform.python_version()}"
    for folder in (state_folder(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "fkp.log"
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{head}: {text}\n")
        except OSError:
            continue
        return path
    return Path("(not written: no writable folder)")
