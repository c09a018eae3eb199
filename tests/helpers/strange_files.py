"""Pipes, devices and sockets where files are expected, and each reader of people's files, called with them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.helpers.label_files import csv_folder, textures, training_csv, write_image
from training.commands.predict import find_images
from training.errors import UserError
from training.faces.images.reading import read_image, read_reduced
from training.faces.labels.head_poses import read_yaw
from training.faces.labels.schema import KAGGLE_15
from training.progress import Progress
from training.sources.exchange.import_source import import_source, preview
from training.sources.formats.detect_format import detect_format, open_reader
from training.sources.formats.pts.schema_file import read_keypoints
from training.sources.formats.pts.text import read_pts
from training.sources.formats.tables.table import open_table
from training.storage.project.pixels import ImageFiles
from training.storage.project.project import Project
from training.video.source import Video


def put_pipe(path: Path) -> None:
    os.mkfifo(path)


def put_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def put_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the whole path may be too long for a socket
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


KINDS: dict[str, Callable[[Path], None]] = {"pipe": put_pipe, "device": put_device, "socket": put_socket}


def _pts_folder(folder: Path) -> Path:
    write_image(folder / "a.png", textures(1, side=20)[0])
    (folder / "a.pts").write_text("version: 1\nn_points: 1\n{\n3 4\n}\n")
    return folder


def _images(folder: Path, put: Callable[[Path], None]) -> Path:
    """One readable image, and a name that is none."""
    write_image(folder / "a.png", textures(1, side=20)[0])
    put(folder / "b.png")
    return folder


def _table_of_images(folder: Path, put: Callable[[Path], None]) -> Path:
    csv_folder(folder)
    (folder / "images" / "3.png").unlink()
    put(folder / "images" / "3.png")
    return folder


def _kept_image(folder: Path, put: Callable[[Path], None]) -> None:
    put(folder / "a.jpg")
    ImageFiles().read(folder / "a.jpg", channels=1, crop=(0, 0, 8), enough=1)


def _read_all(folder: Path, *, format: str | None = None) -> str:  # noqa: A002 - as open_reader
    reader = open_reader(folder, format=format)[1]
    for _ in reader.chunks(reader.schema or KAGGLE_15, progress=Progress()):
        pass
    return "".join(problem.sentence for problem in reader.findings.left_out)


def _pixels(folder: Path, put: Callable[[Path], None]) -> None:
    import_source(training_csv(folder), folder / "p.fkp")
    pixels = folder / "p.fkp" / "pixels" / "0001.npy"
    pixels.unlink()
    put(pixels)
    with Project.open(folder / "p.fkp", read_only=True) as project:
        project.image(1)


def _at(name: str, read: Callable[[Path], object]) -> Callable[[Path, Callable[[Path], None]], object]:
    """A reader of one file of this name."""

    def call(folder: Path, put: Callable[[Path], None]) -> object:
        put(folder / name)
        return read(folder / name)

    return call


def _beside(
    make: Callable[[Path], Path], name: str, read: Callable[[Path], object]
) -> Callable[[Path, Callable[[Path], None]], object]:
    """A reader of a folder in which one name is no file."""

    def call(folder: Path, put: Callable[[Path], None]) -> object:
        make(folder)
        (folder / name).unlink(missing_ok=True)
        put(folder / name)
        return read(folder)

    return call


def _lines(path: Path) -> None:
    with open_table(path) as table:
        list(table.lines())


# Each reads a folder in which something is no file; its answer, or its UserError, must say so.
READERS: dict[str, Callable[[Path, Callable[[Path], None]], object]] = {
    "an image": _at("a.png", read_image),
    "an image, reduced": _at("a.jpg", lambda path: read_reduced(path, channels=1, by=8)),
    "the image of a face": _kept_image,
    "a folder of images": lambda folder, put: _read_all(_images(folder, put)),
    "images of a table": lambda folder, put: _read_all(_table_of_images(folder, put)),
    "the preview of images": lambda folder, put: [str(p) for p in preview(_images(folder, put)).problems],
    "faces of photos": lambda folder, put: [str(p) for p in preview(_images(folder, put), faces="detect").problems],
    "images to predict": lambda folder, put: [
        str(_fault(path)) for _, path in find_images([_images(folder, put)]) if path.name == "b.png"
    ],
    "a table": _at("a.csv", _lines),
    "the format of a file": _at("a.csv", detect_format),
    "an import": _at("a.csv", lambda path: import_source(path, path.parent / "p.fkp")),
    "the only table of a folder": _beside(lambda folder: folder, "a.csv", _read_all),
    "Kaggle's file": _at("training.csv", lambda path: _read_all(path.parent, format="kaggle")),
    "Kaggle's other file": _beside(lambda f: training_csv(f).parent, "test.csv", _read_all),
    "points": _at("a.pts", read_pts),
    "points of a folder": _beside(_pts_folder, "a.pts", _read_all),
    "persons": _beside(_pts_folder, "persons.csv", _read_all),
    "keypoints": _beside(_pts_folder, "keypoints.json", _read_all),
    "keypoints above": _at("keypoints.json", lambda path: read_keypoints(path.parent / "below")),
    "poses": _at("poses.csv", lambda path: read_yaw(path.parent, ["a"])),
    "a video": _at("a.mp4", lambda path: Video(path)),
    "stored pixels": _pixels,
}


def _fault(path: Path) -> UserError | None:
    try:
        read_image(path)
    except UserError as error:
        return error
    return None


def read_strange_files(folder: str, kind: str) -> Iterator[tuple[str, str]]:
    """(reader, what it said) for each reader; a traceback begins with the exception's name."""
    for number, (name, read) in enumerate(READERS.items()):
        own = Path(folder) / str(number)
        own.mkdir()
        try:
            said = str(read(own, KINDS[kind]))
        except UserError as error:
            said = str(error)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        yield name, said
