"""Makes the projects on which the starter models are trained, from your folders of labelled faces.

    python -m benchmarks.starter_data OUT --points15 video=video/labels.csv \\
        photos=photos/labels.csv --points68 video68

--points15: `NAME=CSV` of one or more sources; images are in the CSV's folder or in `images` beside it. They become one
project, OUT/face-15.fkp, with images named `NAME/...`, so that sources may share file names, and each source is a
marking scheme. --points68: a folder with `train` and `val`, images with `.pts` files; it becomes OUT/face-68.fkp, which
has each image twice: whole and (as `cut/...`) cropped around its points with a padding of 0.25. For the training see
docs/starters.md.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from training.faces.images.crops import CropOptions
from training.sources.exchange.import_source import import_source
from training.sources.formats.tables.columns import GROUP_NAMES, IMAGE_NAMES

PADDING = 0.25  # of the box around the 68 points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--points15", nargs="*", default=[])
    parser.add_argument("--points68", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.points15:
        joined_project(args.out / "face-15.fkp", [named(one) for one in args.points15])
    if args.points68:
        twice(args.out / "face-68.fkp", args.points68)


def named(text: str) -> tuple[str, Path]:
    """(name, CSV) of `NAME=CSV`."""
    name, _, path = text.partition("=")
    if not path:
        raise SystemExit(f"{text}: give a source as NAME=CSV.")
    return name, Path(path)


def joined_project(project: Path, sources: Sequence[tuple[str, Path]]) -> None:
    """Make one project of several sources, each imported as by `fkp import`, with lists of image names beside it."""
    lists = project.with_suffix(".sources")
    lists.mkdir()
    for name, labels in sources:
        folder = labels.parent / "images" if (labels.parent / "images").is_dir() else labels.parent
        (lists / name).symlink_to(folder.absolute(), target_is_directory=True)
        renamed(labels, lists / f"{name}.csv", name=name)
        report = import_source(lists / f"{name}.csv", project, images=lists)
        print(f"{project.name}: {report.train} train and {report.val} val faces of {labels}")


def twice(project: Path, folder: Path) -> None:
    """Make one project of a folder's images, whole and cropped around their points: small and large faces."""
    lists = project.with_suffix(".sources")
    for path in folder.absolute().rglob("*"):
        if path.is_file():
            link = lists / "cut" / path.relative_to(folder.absolute())
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    for source, crop in ((folder, None), (lists, CropOptions("points", PADDING))):
        report = import_source(source, project, crop=crop)
        print(f"{project.name}: {report.train} train and {report.val} val faces of {source}")


def renamed(labels: Path, out: Path, *, name: str) -> None:
    """Copy a table of labels, with the source's name prefixed to images and people."""
    with labels.open(newline="", encoding="utf-8-sig") as there, out.open("w", newline="", encoding="utf-8") as here:
        reader = csv.DictReader(there)
        header = reader.fieldnames or []
        known = {column: column.lower() for column in header}
        writer = csv.DictWriter(here, header)
        writer.writeheader()
        for row in reader:
            for column, word in known.items():
                if word in IMAGE_NAMES:
                    row[column] = f"{name}/{row[column]}"
                elif word in GROUP_NAMES and row[column]:
                    row[column] = f"{name}-{row[column]}"
            writer.writerow(row)


if __name__ == "__main__":
    main()
