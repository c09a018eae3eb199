"""Exports a project's labels, or a run's predictions, to other formats.

Files are written beside `out`, then renamed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.errors import UserError
from training.progress import IsCancelled, Progress, Report
from training.sources.exchange.values import Values
from training.sources.exchange.write_csv import write_csv
from training.sources.exchange.write_kaggle import write_kaggle
from training.sources.exchange.write_pts import check_folder, write_pts
from training.sources.exchange.write_submission import write_submission
from training.storage.destination import Result, check_destination
from training.storage.project.project import Project

EXPORT_FORMATS = ("kaggle", "submission", "csv", "pts")
_Writer = Callable[[Values, Path, Progress], tuple[int, Sequence[str]]]


@dataclass(frozen=True)
class ExportReport:
    """out: the file or folder written. count: samples in it (submission: rows). notes: remarks for the user."""

    out: Path
    count: int
    notes: tuple[str, ...]


def export_project(
    project: Project,
    out: Path,
    *,
    format: str,  # noqa: A002 - the word of the command line
    lookup: Path | None = None,
    run: str | None = None,
    states: bool = False,
    escape_formulas: bool = False,
    progress: Report | None = None,
    cancelled: IsCancelled | None = None,
) -> ExportReport:
    """Write `out`: a file, or a folder for pts.

    kaggle: training.csv; untouched label cells are preserved byte for byte. submission: RowId,Location for `lookup`
    (Kaggle's IdLookupTable.csv). csv: image, group, split, coordinates; with `states` also one column per keypoint.
    pts: 300-W files with their images. run: predictions of this run instead of labels. escape_formulas: of a csv, so that
    a spreadsheet runs none of its cells.
    Raises UserError for what the user can fix, also where `out` is no earlier result, and Cancelled; `out` is then
    unchanged.
    """
    out = Path(out)
    write = _writer(format, lookup=lookup, states=states, escape_formulas=escape_formulas)
    check_export(project, out, format=format, lookup=lookup)
    tell = Progress(progress, cancelled)
    tell(0.0, f"Writing {out.name}")
    with project.database.one_state():
        count, notes = write(Values(project, run), out, tell)
    return ExportReport(out, count, tuple(notes))


def check_export(
    project: Project,
    out: Path,
    *,
    format: str,  # noqa: A002 - the word of the command line
    lookup: Path | None = None,
) -> None:
    """Raise UserError where `out` holds anything but an earlier export: other data, or a folder that is not empty."""
    result = Result.FOLDER if format == "pts" else Result.TABLE
    check_destination(out, result, inputs=() if lookup is None else (lookup,), project=project)
    if format == "pts":
        check_folder(out)


def _writer(kind: str, *, lookup: Path | None, states: bool, escape_formulas: bool) -> _Writer:
    if kind != "csv" and escape_formulas:
        raise UserError(
            "Formulas can be escaped in csv files only: the other formats are byte for byte what programs read."
        )
    if kind == "submission":
        if lookup is None:
            raise UserError(
                "A submission needs Kaggle's IdLookupTable.csv, which lists the requested coordinates; pass it with "
                "--lookup."
            )
        return lambda values, out, tell: write_submission(values, out, tell, lookup=lookup)
    if kind == "csv":
        return partial(write_csv, states=states, escape_formulas=escape_formulas)
    if kind in EXPORT_FORMATS:
        return write_kaggle if kind == "kaggle" else write_pts
    raise UserError(f"There is no export format {kind!r}; choose one of {', '.join(EXPORT_FORMATS)}.")
