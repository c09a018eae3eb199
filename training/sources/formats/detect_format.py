"""Detects the format of a source and opens its reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.errors import UserError
from training.files.sentences import reading
from training.sources.formats.csv_folder import CsvFolderReader
from training.sources.formats.image_files import files_below, is_image, passed_over
from training.sources.formats.image_folder import PERSONS, FolderReader
from training.sources.formats.kaggle import KaggleReader, is_kaggle_header
from training.sources.formats.pts.layout_300w import is_layout, place_of
from training.sources.formats.reader import Reader
from training.sources.formats.tables.columns import ColumnMapping
from training.sources.formats.tables.table import open_table

KAGGLE, PTS, W300, CSV, IMAGES = "kaggle", "pts", "300-w", "csv", "pictures"


@dataclass(frozen=True)
class Format:
    """words: what the source is, for people. open: its reader; raises UserError where its header is wrong."""

    words: str
    open: Callable[[Path, Options], Reader]


@dataclass(frozen=True)
class Options:
    """What a user may say of a source. several: an image may hold several faces; None: as the source says."""

    images: Path | None = None
    mapping: ColumnMapping | None = None
    several: bool | None = None


FORMATS: dict[str, Format] = {
    KAGGLE: Format(
        "Kaggle's facial keypoints (images as text in a CSV)",
        lambda path, given: KaggleReader(path, mapping=given.mapping),
    ),
    PTS: Format("images with 300-W .pts files", lambda path, _: FolderReader(path, labelled=True)),
    W300: Format(
        "the 300-W folders, with the protocol's split", lambda path, _: FolderReader(path, labelled=True, protocol=True)
    ),
    CSV: Format(
        "images with a CSV of points",
        lambda path, given: CsvFolderReader(path, images=given.images, mapping=given.mapping, several=given.several),
    ),
    IMAGES: Format("images without labels", lambda path, _: FolderReader(path, labelled=False)),
}


def detect_format(source: Path) -> str:
    """A key of FORMATS. Raises UserError where the source is none of them."""
    with reading(source):  # we may not be allowed to read the folder
        return _detect(source)


def _detect(source: Path) -> str:
    if not source.exists():
        raise UserError(f"{source}: there is no such file or folder; check the path.")
    if not source.is_dir():
        return _file_format(source)
    if any(_is_kaggle(source / name) for name in ("training.csv", "test.csv")):
        return KAGGLE
    if any(path.name != PERSONS and not path.name.startswith(".") for path in source.glob("*.csv")):
        return CSV
    folders = {path.parent for path in files_below(source, lambda s: s == ".pts")}
    if folders:
        above = source.absolute().name
        return W300 if is_layout(place_of((above, *f.relative_to(source).parts)) for f in folders) else PTS
    links: list[Path] = []
    if next(files_below(source, is_image, links=links), None):
        return IMAGES
    passed = f" {passed_over(links)}" if links else ""
    raise UserError(f"{source}: there are no images and no CSV in this folder; choose another folder.{passed}")


def open_reader(
    source: Path,
    *,
    format: str | None = None,  # noqa: A002 - the word of the command line
    images: Path | None = None,
    mapping: ColumnMapping | None = None,
    several: bool | None = None,
) -> tuple[str, Reader]:
    """(format, reader) of a source. several: an image may hold several faces; None: as the source says.

    Raises UserError where its header is wrong.
    """
    kind = format or detect_format(source)
    if kind not in FORMATS:
        raise UserError(f"There is no import format {kind!r}; choose one of {', '.join(FORMATS)}.")
    if not source.exists():
        raise UserError(f"{source}: there is no such file or folder; check the path.")
    return kind, FORMATS[kind].open(source, Options(images, mapping, several))


def _file_format(source: Path) -> str:
    suffix = source.suffix.lower()
    if is_image(suffix) or suffix == ".pts":
        raise UserError(f"{source}: this is a single file; give the folder that holds the images.")
    with open_table(source) as table:
        return KAGGLE if is_kaggle_header(table.header) else CSV


def _is_kaggle(path: Path) -> bool:
    if not path.exists():
        return False
    with open_table(path) as table:
        return is_kaggle_header(table.header)
