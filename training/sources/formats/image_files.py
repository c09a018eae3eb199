"""Image files of a source: finding them, and examining several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.errors import UserError
from training.faces.images.reading import IMAGE_SUFFIXES, examine_image, read_image_bytes
from training.faces.labels.near_duplicates import looks_of
from training.faces.labels.samples import Split
from training.files.sentences import reading
from training.sources.formats.tables.columns import split_of

_FOLDER_WORDS = {"trainset": Split.TRAIN, "valset": Split.VAL, "testset": Split.TEST}


@dataclass(frozen=True)
class Examined:
    """An image that could be read. look: uint8 [16, 16]."""

    width: int
    height: int
    look: np.ndarray


def examine_files(paths: Sequence[Path]) -> list[Examined | UserError]:
    """Each image's size and look, or what is wrong with it. OpenCV decodes on several threads at once."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(_examine, paths))


def _examine(path: Path) -> Examined | UserError:
    try:
        (width, height), gray = examine_image(read_image_bytes(path), name=str(path))
    except UserError as error:
        return error
    return Examined(width, height, looks_of([gray])[0])


def files_below(folder: Path, wanted: Callable[[str], bool], *, links: list[Path] | None = None) -> Iterator[Path]:
    """All files below a folder whose lower-case suffix is wanted, in a stable order, without hidden ones.

    Links to folders are not followed, since they may lead in circles; they are added to `links`.
    """
    with reading(folder):
        for here, folders, files in os.walk(folder, onerror=_raise):
            folders[:] = sorted(f for f in folders if not f.startswith(".") and not f.endswith(".fkp"))
            if links is not None:
                links += [link for link in (Path(here, f) for f in folders) if link.is_symlink()]
            for name in sorted(files):
                if not name.startswith(".") and wanted(Path(name).suffix.lower()):
                    yield Path(here, name)


def passed_over(links: Sequence[Path]) -> str:
    """What to report about links to folders that were not followed; "" where there are none."""
    if not links:
        return ""
    shown = ", ".join(map(str, links[:3])) + (f" and {len(links) - 3} more" if len(links) > 3 else "")
    return f"Links to folders are not followed: {shown}; import what they lead to by its own path."


def _raise(error: OSError) -> None:
    with reading(Path(error.filename)):  # a folder far below: its own name is said
        raise error


def is_image(suffix: str) -> bool:
    """Whether a lower-case suffix is that of an image."""
    return suffix in IMAGE_SUFFIXES


def folder_split(parts: Iterable[str]) -> Split | None:
    """The split that a folder's name says (`train`, `val`, `test`, 300-W's `trainset`, `testset`)."""
    for part in parts:
        if not part.isdigit():
            split = _FOLDER_WORDS.get(part.lower(), split_of(part))
            if split is not None:
                return split
    return None


def batched(items: Sequence, size: int) -> Iterator[Sequence]:
    """Slices of `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
