"""fkp export: labels or predictions in other formats, or a model as ONNX or with 16-bit weights."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.shared.find_run import find_own_run, find_run
from training.commands.shared.output import ESCAPE_HELP, note, progress_bar, say
from training.errors import UserError
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from training.storage.project.project import Project


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT OUT --format F [--lookup FILE] [--run RUN] [--states] [--escape-formulas],
    or MODEL OUT --format onnx [--mirrored] [--upright] [--input TYPE] | model
    """
    parser.add_argument(
        "project",
        type=Path,
        metavar="PROJECT|MODEL",
        help=(
            "folder of the project; for onnx and model: a run folder, a model.safetensors, a starter, or a project "
            "with --run"
        ),
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="file to write; a folder for pts")
    parser.add_argument(
        "--format", required=True, choices=("kaggle", "submission", "csv", "pts", "onnx", "model"), help="what to write"
    )
    parser.add_argument("--lookup", type=Path, metavar="FILE", help="Kaggle's IdLookupTable.csv, for submissions")
    parser.add_argument(
        "--run", dest="run_name", metavar="RUN", help="export this run's predictions instead of the labels"
    )
    parser.add_argument(
        "--states",
        action="store_true",
        help="csv: add a column per keypoint with its state (visible, occluded, absent or unset)",
    )
    parser.add_argument("--escape-formulas", action="store_true", help=f"csv: {ESCAPE_HELP}")
    _add_onnx_arguments(parser)


def _add_onnx_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mirrored",
        action=argparse.BooleanOptionalAction,
        help="onnx: average with the mirrored image, at twice the run time (default: the run's flip-average setting)",
    )
    parser.add_argument(
        "--upright",
        action=argparse.BooleanOptionalAction,
        help="onnx: second pass on the upright face, at twice the run time (default: the run's upright setting)",
    )
    parser.add_argument("--scheme", metavar="NAME", help="onnx: the marking scheme of the output points")
    parser.add_argument("--input", choices=("uint8", "float32"), help="onnx: input image type, 0..255 (uint8)")
    parser.add_argument(
        "--int8",
        action="store_true",
        help="onnx: 8-bit convolutions, smaller and faster, calibrated on images of PROJECT (needs --run)",
    )


def run(args: argparse.Namespace) -> int:
    """Export, predicting first any samples that the run has not predicted yet."""
    from training.sources.exchange.export_project import check_export, export_project
    from training.storage.project.project import Project

    if args.format == "onnx":
        return _export_onnx(args)
    views = args.mirrored is not None or args.upright is not None
    if views or args.input is not None or args.scheme is not None or args.int8:
        raise UserError(
            "--mirrored, --upright, --scheme, --input and --int8 require --format onnx: the other formats do not hold "
            "a runnable model."
        )
    if args.format == "model":
        return _export_compact(args)
    if args.states and args.format != "csv":
        raise UserError("--states requires --format csv: the other formats cannot store states.")
    _check_escape(args)
    with Project.open(args.project, read_only=True) as project:
        check_export(project, args.out, format=args.format, lookup=args.lookup)
        name = None
        if args.run_name is not None:
            run = find_own_run(args.run_name, project)
            name = run.name
            _predict_missing(project, run, asked_only=args.format == "submission")
        with progress_bar("export") as report:
            done = export_project(
                project,
                args.out,
                format=args.format,
                lookup=args.lookup,
                run=name,
                states=args.states,
                escape_formulas=args.escape_formulas,
                progress=report,
            )
    for text in done.notes:
        note(text)
    say(f"{done.count:,} {'rows' if args.format == 'submission' else 'samples'} written to {args.out}")
    return 0


def _export_onnx(args: argparse.Namespace) -> int:
    model = _model(args)
    if args.out.suffix.lower() != ".onnx":
        raise UserError(f"{args.out}: the file name must end in .onnx.")
    if args.int8 and args.run_name is None:
        raise UserError("--int8 is calibrated on real images: give a project, and its model with --run.")
    _check_out(args, model)
    from training.learning.inference.onnx import export_onnx

    note("exporting and checking the graph")
    report = export_onnx(
        model,
        args.out,
        mirrored=args.mirrored,
        upright=args.upright,
        input_type=args.input or "uint8",
        scheme=args.scheme,
        int8_from=args.project if args.int8 else None,
    )
    say(report.sentence)
    return 0


def _export_compact(args: argparse.Namespace) -> int:
    model = _model(args)
    if args.out.suffix.lower() != ".safetensors":
        raise UserError(f"{args.out}: the file name must end in .safetensors.")
    _check_out(args, model)
    from training.learning.inference.checkpoint import write_compact

    size = write_compact(model, args.out)
    say(f"{args.out}: {size / 1e6:.2f} MB, 16-bit weights; `fkp predict --model` accepts it like any other model.")
    return 0


def _check_escape(args: argparse.Namespace) -> None:
    if args.escape_formulas and args.format != "csv":
        raise UserError("--escape-formulas requires --format csv: programs read the other formats byte for byte.")


def _check_out(args: argparse.Namespace, model: Run) -> None:
    """Raises UserError where OUT is no earlier export of a model."""
    from training.storage.destination import Result, check_destination, is_project
    from training.storage.project.project import Project

    inputs = (model.model, *(model.path.iterdir() if model.path.is_dir() else ()))
    if not is_project(args.project):
        check_destination(args.out, Result.MODEL, inputs=inputs)
        return
    with Project.open(args.project, read_only=True) as project:
        check_destination(args.out, Result.MODEL, inputs=inputs, project=project)


def _model(args: argparse.Namespace) -> Run:
    """The run or model file to export. Raises UserError."""
    _check_escape(args)
    if args.states or args.lookup is not None:
        raise UserError(f"--states and --lookup apply to labels, but --format {args.format} writes a model.")
    if (args.project / "project.db").is_file():
        if args.run_name is None:
            raise UserError(f"{args.project} is a project; choose one of its models with --run RUN.")
        return find_run(args.run_name, args.project)
    if args.run_name is not None:
        raise UserError(f"--run chooses a run of a project, but {args.project} is not a project.")
    return Run(args.project) if args.project.is_file() else find_run(str(args.project))


def _predict_missing(project: Project, run: Run, *, asked_only: bool) -> None:
    """asked_only: only the samples that a submission can ask for."""
    from training.sources.exchange.write_submission import samples_by_id
    from training.storage.project.project import Project
    from training.storage.runs.model.prediction_stamp import lacking

    wanted = project.ids()[sorted(samples_by_id(project).values())] if asked_only else project.kept_ids()
    missing = lacking(project, run, wanted)
    if not len(missing):
        return
    from training.commands.shared.predict_all import note_unreadable, predict_into

    note(f"{run.name} first predicts {len(missing):,} samples")
    with Project.open(project.path) as writable:
        note_unreadable(predict_into(writable, run, missing))
