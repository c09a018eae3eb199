"""What can be exported, and the export itself, for a background thread. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fkp_studio.background.command import FKP, run_command
from training.progress import Cancelled
from training.sources.exchange.export_project import ExportReport, export_project
from training.storage.project.project import Project

EXPORT = (*FKP, "export")


@dataclass(frozen=True)
class Format:
    """An export format. ending: the suffix of the proposed name; "" means a folder."""

    title: str
    help: str
    name: str
    ending: str


FORMATS = {
    "csv": Format(
        "CSV with image names",
        "One row per face: image, group, split, x and y of each keypoint.",
        "labels",
        ".csv",
    ),
    "kaggle": Format(
        "Kaggle training.csv",
        "As in the competition. Unchanged labels are written exactly as imported, digit by digit.",
        "training",
        ".csv",
    ),
    "submission": Format(
        "Kaggle submission",
        "RowId and Location for the rows that IdLookupTable.csv asks for.",
        "submission",
        ".csv",
    ),
    "pts": Format(
        "300-W .pts files",
        "A folder with each image and its .pts file beside it.",
        "pts",
        "",
    ),
    "onnx": Format(
        "ONNX model",
        "The model for other programs: images at the network's size in, points out. Verified after writing.",
        "model",
        ".onnx",
    ),
}


@dataclass(frozen=True)
class Order:
    """The user's choices for one export."""

    project: Path
    out: Path
    format: str
    run: str | None
    lookup: Path | None
    states: bool
    int8: bool
    escape_formulas: bool = False


def export(
    order: Order, *, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
) -> ExportReport | None:
    """Write the export in a background thread with its own connection; None if the user cancelled."""
    with Project.open(order.project, read_only=True) as project:
        try:
            return export_project(
                project,
                order.out,
                format=order.format,
                lookup=order.lookup,
                run=order.run,
                states=order.states,
                escape_formulas=order.escape_formulas,
                progress=progress,
                cancelled=cancelled,
            )
        except Cancelled:
            return None


def export_model(
    project: Path, out: Path, *, run: str, int8: bool, cancelled: Callable[[], bool], command: Sequence[str] = EXPORT
) -> str | None:
    """The output of `fkp export PROJECT OUT --format onnx --run RUN`; None if cancelled.

    Runs in a child process, so that the window never loads torch. Raises UserError with the command's error message.
    """
    words = [*command, str(project), str(out), "--format", "onnx", f"--run={run}", *(["--int8"] if int8 else [])]
    said = run_command(words, cancelled=cancelled)
    return None if said is None else said.strip()
