"""Which project lies in a folder: told by its database file, whatever the folder is called."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import UserError
from training.storage.project.database import DATABASE


@dataclass(frozen=True)
class Identity:
    """The file of an open database, whose numbers no other file gets while it is open."""

    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        return cls(status.st_dev, status.st_ino)


@dataclass(frozen=True)
class Address:
    """A project's folder, and which project has to be in it; identity None: whichever is there.

    Whatever reads an open project through a connection of its own opens it by address, or it would read, or write
    to, another project that was put in its place.
    """

    path: Path
    identity: Identity | None = None

    def check(self) -> None:
        """Raise UserError unless this project is there."""
        if self.identity is not None and identity(self.path) != self.identity:
            raise UserError(
                f"{self.path} is no longer the project that is open: it was moved, deleted or replaced. Nothing was "
                "changed there; open the project again, or save it as a copy."
            )

    def to_json(self) -> dict[str, object]:
        known = self.identity
        return {"path": str(self.path), "identity": None if known is None else [known.device, known.inode]}

    @classmethod
    def from_json(cls, values: str | dict[str, Any]) -> Address:
        """Of `to_json`, or of a path alone. Raises KeyError, TypeError or ValueError."""
        if isinstance(values, str):
            return cls(Path(values))
        known = values["identity"]
        return cls(Path(values["path"]), None if known is None else Identity(*map(int, known)))


Place = Path | Address  # where a project is opened


def address_of(place: Place) -> Address:
    """The place as an address."""
    return place if isinstance(place, Address) else Address(Path(place).absolute())


def identity(folder: Path) -> Identity | None:
    """The project in this folder; None if there is none, or the disk does not answer."""
    try:
        return Identity.of((folder / DATABASE).stat())
    except OSError:
        return None
