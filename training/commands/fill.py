"""fkp fill: predict all faces of a project and accept the missing points, as one undo step."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.find_run import find_run
from training.commands.output import Report, note, progress_bar, say
from training.commands.predicting import check_keypoints, load_predictor, predict_pictures, project_batches
from training.errors import UserError

if TYPE_CHECKING:
    from training.predict import Predictor
    from training.project.project import Project


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT --run RUN [--min-confidence C]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument(
        "--run", required=True, dest="run_name", metavar="RUN", help="name, number or folder of the run"
    )
    parser.add_argument(
        "--min-confidence", type=float, default=0.0, metavar="C", help="accept from this confidence on (0)"
    )
    parser.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="where to compute (auto)"
    )


def run(args: argparse.Namespace) -> int:
    """Predict, store, accept."""
    from training.project.project import Project

    if not 0 <= args.min_confidence <= 1:
        raise UserError(f"--min-confidence lies between 0 and 1, not {args.min_confidence:g}.")
    with Project.open(args.project) as project:
        run_dir = find_run(args.run_name, project.path)
        if run_dir.parent != project.runs_dir:
            raise UserError(f"{run_dir} is a run of another project; filling notes which run made a point.")
        predictor = load_predictor(run_dir, args.device)
        check_keypoints(predictor, project)
        with progress_bar("predict") as report:
            unreadable = predict_project(project, predictor, run_dir.name, report)
        done = project.accept(run_dir.name, min_confidence=args.min_confidence)
    for sentence in unreadable[:10]:
        note(f"left out: {sentence}")
    if len(unreadable) > 10:
        note(f"... and {len(unreadable) - 10:,} more left out")
    ending = f"; undo in the window takes it back: {args.project}" if done.step else ""
    say(f"{done.points:,} points filled in {len(done.ids):,} faces from {run_dir.name}{ending}")
    return 0


def predict_project(project: Project, predictor: Predictor, run: str, report: Report) -> list[str]:
    """Predict all samples and keep it in the project; sentences on unreadable pictures."""
    unreadable: list[str] = []
    ids = project.ids()
    for part, pictures in project_batches(project, ids, unreadable):
        project.write_predictions(run, part, *predict_pictures(predictor, pictures))
        report(float(part[-1]) / len(ids), "")
    return unreadable
