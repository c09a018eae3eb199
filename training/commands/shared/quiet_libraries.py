"""Keeps what libraries written in C print away from the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Inside, file descriptor 2 leads nowhere, and Python's stderr to where it led before.

    libjpeg, libpng and FFmpeg remark on damaged files there, and OpenCV offers no way to turn that off. For a whole
    command that reads images, in the main thread, before others are started: all threads share the descriptor.
    """
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    python = sys.stderr
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        if python is not None and _writes_to(python, 2):
            python.flush()
            sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1, encoding=python.encoding, errors=python.errors)
        os.dup2(nowhere, 2)
        yield
    finally:
        if sys.stderr is not python:
            sys.stderr.close()
            sys.stderr = python
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _writes_to(file: object, descriptor: int) -> bool:
    try:
        return file.fileno() == descriptor  # type: ignore[attr-defined, no-any-return]
    except (AttributeError, OSError, ValueError):  # tests and consoles put other things there
        return False
