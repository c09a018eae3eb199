"""fkp import: import external data into a project."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.shared.output import note, progress_bar, say
from training.commands.shared.quiet_libraries import quiet_libraries
from training.errors import UserError

if TYPE_CHECKING:
    from training.faces.labels.schema import KeypointSchema


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SOURCE PROJECT [--format F] [--images DIR] [--crop box|points|none] [--padding P] [--faces detect|whole]
    [--keypoints S]
    """
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="training.csv, or a folder of images with .pts files or a CSV"
    )
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project; created if missing")
    parser.add_argument(
        "--format", choices=("kaggle", "pts", "300-w", "csv", "pictures"), help="format of SOURCE (detected)"
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="folder of the CSV's images (next to the CSV)")
    parser.add_argument(
        "--crop",
        choices=("box", "points", "none"),
        help="crop faces from their images: by the CSV's box columns, or by the bounding box of their points",
    )
    parser.add_argument(
        "--padding",
        type=float,
        metavar="P",
        help="margin added on each side of a box, as a fraction of its longer side (0.25)",
    )
    parser.add_argument(
        "--faces",
        choices=("whole", "detect"),
        default="whole",
        help="photos: one sample per image (whole), or per detected face",
    )
    parser.add_argument(
        "--keypoints", metavar="SCHEMA", help="keypoints of a new project of unlabelled images: kaggle-15, ibug-68..."
    )


def run(args: argparse.Namespace) -> int:
    """Import, and report what was left out."""
    from training.faces.images.crops import PADDING, CropOptions
    from training.sources.exchange.import_source import import_source

    if args.padding is not None and args.crop in (None, "none"):
        raise UserError("--padding requires --crop box or --crop points.")
    crop = CropOptions(args.crop, PADDING if args.padding is None else args.padding) if args.crop else None
    with quiet_libraries(), progress_bar("import") as report:
        done = import_source(
            args.source,
            args.project,
            format=args.format,
            images=args.images,
            crop=crop,
            faces=args.faces,
            schema=_schema(args.keypoints),
            progress=report,
        )
    say(
        f"{done.count:,} samples imported into {args.project} "
        f"({done.train:,} train, {done.val:,} val, {done.test:,} test) in {done.seconds:.1f} s"
    )
    for text in done.notes:
        note(text)
    for title, problems in (("left out", done.left_out), ("to check", done.flagged)):
        if problems:
            note(f"{len(problems):,} {title}:")
            for problem in problems[:10]:
                note(f"  {problem}")
            if len(problems) > 10:
                note(f"  ... and {len(problems) - 10:,} more; `fkp info {args.project}` lists them")
    return 0


def _schema(name: str | None) -> KeypointSchema | None:
    from training.faces.labels.schema import SCHEMAS

    if name is not None and name not in SCHEMAS:
        raise UserError(f"There is no keypoint schema {name!r}; choose {', '.join(SCHEMAS)}.")
    return None if name is None else SCHEMAS[name]
