"""Locks between processes. The system releases a lock when its holder ends, however it ends."""

from __future__ import annotations

import errno
import math
import os
import stat
import sys
import time
from pathlib import Path
from types import TracebackType

from training.files.sentences import RefusedFileError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for its other end
_POLL_SECONDS = 0.02
_BYTE = 1 << 30  # offset of the byte that Windows locks, beyond the content: no other process can read a locked byte
_LOOKS = 5 if sys.platform == "win32" else 1  # Windows has no shared locks, so two probes can collide


class Lock:
    """An exclusive lock on a file, created if missing. `with Lock(path): ...` waits until it is free."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self, *, wait: float = math.inf) -> bool:
        """Wait up to `wait` seconds; returns whether the lock was acquired. Raises OSError if the file can't be locked.

        `is_held` in another process takes the lock for an instant, so `wait` should not be 0.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | _NO_WAIT, 0o666)
        try:
            _check(self.path, descriptor)
            until = time.monotonic() + wait
            while not _try_lock(descriptor, shared=False):
                if time.monotonic() > until:
                    os.close(descriptor)
                    return False
                time.sleep(_POLL_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def sign(self) -> None:
        """Write the process ID into the file, for `holder`."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, str(os.getpid()).encode())

    @property
    def descriptor(self) -> int:
        """Of the open file while the lock is held. A child process that inherits it holds the lock until it ends."""
        return self._descriptor

    def release(self) -> None:
        """Let go of the lock; where a child process inherited it, that still holds it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            _unlock(descriptor)
            os.close(descriptor)

    def __enter__(self) -> Lock:
        if self._descriptor < 0:
            self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of this file. Raises OSError if the file exists but can't be read or locked."""
    return _look(path) is not None


def holder(path: Path) -> int | None:
    """The ID of the process that holds and has signed the lock of this file; None if there is none."""
    text = _look(path)
    return int(text) if text is not None and text.isdigit() else None


def _look(path: Path) -> bytes | None:
    """The beginning of the file if its lock is held, else None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_WAIT)
    except FileNotFoundError:
        return None
    try:
        _check(path, descriptor)
        for _ in range(_LOOKS):
            if _try_lock(descriptor, shared=True):
                _unlock(descriptor)
                return None
            if _LOOKS > 1:
                time.sleep(_POLL_SECONDS)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, 32)
    finally:
        os.close(descriptor)


def _check(path: Path, descriptor: int) -> None:
    """Raises OSError for a pipe or device: a project may be a stranger's."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise RefusedFileError(errno.EINVAL, "this is a pipe or a device, not a file; replace or remove it", str(path))


def _try_lock(descriptor: int, *, shared: bool) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _unlock(descriptor: int) -> None:
    """Needed on Windows only; elsewhere closing the file releases the lock."""
    if sys.platform == "win32":
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
