"""The processes of a command, as the kernel lists them. Linux only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """state: "Z" for a zombie."""

    number: int
    parent: int
    session: int
    state: str


def all_processes() -> list[Process]:
    """Every process that can be seen."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended
        found.append(Process(int(folder.name), int(fields[1]), int(fields[3]), fields[0]))
    return found


def family(first: int) -> list[Process]:
    """A process, those of its session, and all that any of them has started."""
    everyone = all_processes()
    known = {first}
    while True:
        more = {p.number for p in everyone if p.session == first or p.parent in known} - known
        if not more:
            return [p for p in everyone if p.number in known]
        known |= more


def sockets(number: int) -> set[str]:
    """The inodes of a process's sockets."""
    found = set()
    for link in Path(f"/proc/{number}/fd").glob("*"):
        try:
            name = str(link.readlink())
        except OSError:
            continue
        if name.startswith("socket:["):
            found.add(name.removeprefix("socket:[").removesuffix("]"))
    return found
