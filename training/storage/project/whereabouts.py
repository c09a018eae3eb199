"""Where an open project is now: still in its folder, moved, deleted, or replaced by another.

On Windows the files of an open project cannot be moved, deleted or replaced; there only a disk can go away.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.storage.project.database import DATABASE
from training.storage.project.identity import Address, Identity, identity

_PATH_BYTES = 1024  # of macOS's longest path


@dataclass(frozen=True)
class Lost:
    """The project is not in its folder any more.

    how: "moved" (its files are intact, at `found` if that is known), "deleted" or "replaced" (the files that are open
    have no name any more), "away" (the disk does not answer, as `reason` says). Edits of the open database go on in
    all but the last case, but only a moved project keeps them.
    """

    how: Literal["moved", "deleted", "replaced", "away"]
    found: Path | None = None
    reason: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether what is written to the open database stays on the disk."""
        return self.how == "moved"


class Whereabouts:
    """Watches one project, whose database has to stay open until `close`."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._folder = -1  # the folder itself, under whatever name
        if sys.platform != "win32":  # where no folder can be opened
            with suppress(OSError):
                self._folder = os.open(address.path, os.O_RDONLY | os.O_DIRECTORY)

    def look(self) -> Lost | None:
        """None if the project is in its place. Two system calls at most, usually one."""
        there = self._address.identity
        try:
            if there is None or Identity.of((self._address.path / DATABASE).stat()) == there:
                return None
            replaced = True
        except (FileNotFoundError, NotADirectoryError):
            replaced = False
        except OSError as error:
            return Lost("away", reason=error.strerror or str(error))
        try:
            if self._folder >= 0 and Identity.of(os.stat(DATABASE, dir_fd=self._folder)) == there:
                return Lost("moved", found=self._new_path(there))
        except FileNotFoundError:
            pass
        except OSError as error:
            return Lost("away", reason=error.strerror or str(error))
        if self._folder < 0 and not replaced:
            return Lost("away", reason="its folder is missing")
        return Lost("replaced" if replaced else "deleted")

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        folder, self._folder = self._folder, -1
        if folder >= 0:
            os.close(folder)

    def _new_path(self, there: Identity) -> Path | None:
        """Where the folder is now, if the system tells."""
        found: Path | None = None
        with suppress(OSError, ValueError):
            if sys.platform == "linux":
                found = Path(f"/proc/self/fd/{self._folder}").readlink()
            elif sys.platform == "darwin":
                import fcntl

                told = fcntl.fcntl(self._folder, fcntl.F_GETPATH, bytes(_PATH_BYTES))
                found = Path(os.fsdecode(told.rstrip(b"\0")))
        return found if found is not None and identity(found) == there else None
