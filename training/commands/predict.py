"""fkp predict: write a model's predicted keypoints to a CSV."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.commands.shared.find_run import find_run
from training.commands.shared.output import ESCAPE_HELP, Report, note, progress_bar, say
from training.commands.shared.photo_rows import Rows
from training.commands.shared.predict_all import (
    check_keypoints,
    chunks,
    load_predictor,
    note_unreadable,
    predict_images,
    project_batches,
)
from training.errors import UserError
from training.files.csv_text import without_formula
from training.files.replacing import replacing
from training.storage.destination import Result, check_destination
from training.storage.runs.inputs.marking_schemes import scheme_words
from training.storage.runs.run import Run
from training.video.source import is_video

if TYPE_CHECKING:
    from training.faces.labels.schema import KeypointSchema
    from training.learning.inference.predictor import Predictor

FILES = 32  # images per batch, as their sizes are unknown

KEY: tuple[str, ...] = ("image",)  # columns before the points'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SOURCE... --model RUN|FILE --out FILE.csv [--scheme NAME] [--faces detect|whole]
    [--escape-formulas] [--to-project P.fkp --every N]
    """
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="SOURCE", help="a project, images, a folder of images, or a video"
    )
    parser.add_argument("--model", required=True, metavar="RUN|FILE", help="a run, or a model.safetensors")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.csv", help="the file to write")
    parser.add_argument("--scheme", metavar="NAME", help="predict points in this marking scheme of the model")
    parser.add_argument(
        "--faces",
        choices=("whole", "detect"),
        default="whole",
        help="images: one row per image (whole), or one per detected face, with its box",
    )
    parser.add_argument("--escape-formulas", action="store_true", help=ESCAPE_HELP)
    parser.add_argument(
        "--to-project",
        type=Path,
        metavar="PROJECT",
        help="video: also save faces from frames as samples of a project",
    )
    parser.add_argument("--every", type=int, metavar="N", help="with --to-project: save every N-th frame (25)")
    parser.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="where to compute (auto)"
    )


def run(args: argparse.Namespace) -> int:
    project = args.sources[0] if (args.sources[0] / "project.db").is_file() else None
    if project is not None and len(args.sources) > 1:
        raise UserError("Give either one project, or images and folders.")
    video = _video(args)
    images = [] if project or video else find_images(args.sources)
    if args.faces == "detect" and not images:
        raise UserError(
            "--faces detect applies to images: a project already has its faces, and videos always use detection."
        )
    model = Run(Path(args.model))
    if model.kind == "file" and not model.path.exists():
        raise UserError(f"There is no model file {model}.")
    model = model if model.kind == "file" else find_run(args.model, project or args.to_project)
    _check_out(args, project or args.to_project, model)
    predictor = load_predictor(model, args.device)
    if args.scheme is not None:
        predictor.speak(args.scheme)
    if video:
        return _predict_video(args, video, predictor, model)
    return _predict_images(args, project, images, predictor)


def _check_out(args: argparse.Namespace, project: Path | None, model: Run) -> None:
    """Raises UserError, before hours of predicting, where --out is no earlier result."""
    from training.storage.project.project import Project

    inputs = (*args.sources, model.model)
    if project is None:
        check_destination(args.out, Result.TABLE, inputs=inputs)
        return
    with Project.open(project, read_only=True) as opened:
        check_destination(args.out, Result.TABLE, inputs=inputs, project=opened)


def _predict_images(
    args: argparse.Namespace, project: Path | None, images: list[tuple[str, Path]], predictor: Predictor
) -> int:
    unreadable: list[str] = []
    with progress_bar("predict") as report:
        key, rows = (
            KEY,
            (
                project_rows(project, predictor, unreadable, report)
                if project
                else file_rows(images, predictor, unreadable, report)
            ),
        )
        if args.faces == "detect":
            from training.commands.shared import photo_rows

            key, rows = photo_rows.KEY, photo_rows.face_rows(images, predictor, unreadable, report)
        count = write_csv(
            args.out, rows, predictor.schema, key=key, unreadable=unreadable, escape_formulas=args.escape_formulas
        )
    note_unreadable(unreadable)
    say(f"{count:,} {'faces' if args.faces == 'detect' else 'images'} predicted: {args.out}")
    if predictor.info.schemes:
        own = project is not None and predictor.schemes_of(project, np.empty(0, np.int64)) is not None
        say(scheme_words(predictor.info.schemes, args.scheme, own=own))
    return 0


def _video(args: argparse.Namespace) -> Path | None:
    """The video to predict, if the source is one. Raises UserError for conflicting arguments."""
    videos = [source for source in args.sources if is_video(source)]
    if videos and len(args.sources) > 1:
        raise UserError("Give either one video, or images and folders.")
    if args.to_project is not None and not videos:
        raise UserError("--to-project saves frames of a video; use `fkp import` to add images to a project.")
    if args.every is not None and (args.to_project is None or args.every < 1):
        raise UserError("--every requires --to-project and must be at least 1.")
    return videos[0] if videos else None


def _predict_video(args: argparse.Namespace, video: Path, predictor: Predictor, model: Run) -> int:
    from training.commands.shared.video_rows import predict_video

    with progress_bar("predict") as report:
        predict_video(
            video,
            predictor,
            args.out,
            report,
            project=args.to_project,
            every=args.every or 25,
            run=model,
            escape_formulas=args.escape_formulas,
        )
    return 0


def find_images(sources: list[Path]) -> list[tuple[str, Path]]:
    """(name, path) of the given image files and of those in folders (named by their path within). Raises UserError."""
    from training.faces.images.reading import IMAGE_SUFFIXES
    from training.sources.formats.image_files import files_below, is_image, passed_over

    found = []
    links: list[Path] = []
    for source in sources:
        if source.is_dir():
            found += [(p.relative_to(source).as_posix(), p) for p in files_below(source, is_image, links=links)]
        elif source.exists():
            found.append((str(source), source))
        else:
            raise UserError(f"There is no file or folder {source}.")
    if links:
        note(passed_over(links))
    if not found:
        raise UserError(f"No images found in {', '.join(map(str, sources))} (supported: {' '.join(IMAGE_SUFFIXES)}).")
    return found


def project_rows(path: Path, predictor: Predictor, unreadable: list[str], report: Report) -> Rows:
    """The predictions of all samples of a project, in px of the image files."""
    from training.storage.project.project import Project

    with Project.open(path, read_only=True) as project:
        check_keypoints(predictor, project)
        ids, names = project.kept_ids(), project.names()
        for part, images, _ in project_batches(project, ids, unreadable):
            schemes = predictor.schemes_of(project.path, part)
            points, confidences = predict_images(predictor, images, schemes)
            yield [(names[i - 1],) for i in part.tolist()], points + project.faces(part).corners, confidences
            report(float(part[-1]) / len(names), "")


def file_rows(files: list[tuple[str, Path]], predictor: Predictor, unreadable: list[str], report: Report) -> Rows:
    """The predictions of image files; errors of unreadable ones go into `unreadable`."""
    from training.faces.images.reading import read_image

    done = 0
    for part in chunks(files, FILES):
        names: list[tuple[str, ...]] = []
        images = []
        for name, path in part:
            try:
                images.append(read_image(path, channels=3))
            except UserError as error:
                unreadable.append(str(error))
            else:
                names.append((name,))
        if names:
            yield names, *predict_images(predictor, images)
        done += len(part)
        report(done / len(files), "")


def write_csv(
    path: Path,
    rows: Rows,
    schema: KeypointSchema,
    *,
    key: tuple[str, ...] = KEY,
    unreadable: Sequence[str] = (),
    escape_formulas: bool = False,
) -> int:
    """Write the CSV atomically; returns the number of rows.

    key: the columns before the points'. Coordinates are in px; the centre of the first pixel is (0, 0). unreadable: what
    is wrong with the images that have no row. Raises UserError, and leaves what was there, if there is no row at all.
    """
    import pandas as pd

    columns = [*key, *schema.columns, *(f"{name}_confidence" for name in schema.keypoints)]
    count = 0
    escape = without_formula if escape_formulas else str
    with replacing(path) as file:
        pd.DataFrame(columns=list(map(escape, columns))).to_csv(file, index=False, lineterminator="\r\n")
        for cells, points, confidences in rows:
            numbers = np.concatenate([points.reshape(len(cells), -1), confidences], axis=1)
            table = pd.concat([pd.DataFrame([list(map(escape, row)) for row in cells]), pd.DataFrame(numbers)], axis=1)
            table.to_csv(file, index=False, header=False, float_format="%.3f", lineterminator="\r\n")
            count += len(table)
        if not count:
            raise UserError(_nothing(path, unreadable))
    return count


def _nothing(out: Path, unreadable: Sequence[str]) -> str:
    if not unreadable:
        return f"There are no samples to predict, so {out} was not written; import data first."
    return (
        f"None of the {len(unreadable):,} images could be predicted, so {out} was not written. "
        f"First problem: {unreadable[0]}"
    )
