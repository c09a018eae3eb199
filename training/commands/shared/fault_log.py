"""The log file for unexpected errors."""

from __future__ import annotations

import platform
import time
import traceback

from training import __version__
from training.files.private import open_log, state_folder

LOG = "fkp.log"


def write_fault(words: list[str]) -> str:
    """Append the current exception to the log; returns a sentence that says where it is, or why it is not there."""
    return append_fault(f"fkp {words}\n{traceback.format_exc()}")


def append_fault(text: str) -> str:
    """Append a text with time and versions to the log in the user's state folder, which nobody else can read.

    Returns a sentence that says where it is, or why it is not there.
    """
    path = state_folder() / LOG
    head = f"{time.strftime('%Y-%m-%d %H:%M:%S')} FKP Studio {__version__}, Python {platform.python_version()}"
    try:
        with open_log(path) as file:
            file.write(f"{head}: {text}\n")
    except OSError as error:
        return f"The details were not logged: {path} cannot be written ({error.strerror})."
    return f"Details: {path}"
