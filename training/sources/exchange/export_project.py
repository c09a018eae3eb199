"""A project's labels, or the predictions of a run, in other programs' formats. Files are written beside the target and renamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import UserError
from training.progress import IsCancelled, Progress, Report
from training.sources.exchange.values import Values
from training.sources.exchange.write_csv import write_csv
from training.sources.exchange.write_kaggle import write_kaggle
from training.sources.exchange.write_pts import write_pts
from training.sources.exchange.write_submission import write_submission
from training.storage.project.project import Project

EXPORT_FORMATS = ("kaggle", "submission", "csv", "pts")
_Writer = Callable[[Values, Path, Progress], tuple[int, Sequence[str]]]


@dataclass(frozen=True)
class ExportReport:
    """out: the file or folder written. count: samples in it (submission: rows). notes: what one should know about it."""

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
    progress: Report | None = None,
    cancelled: IsCancelled | None = None,
) -> ExportReport:
    """Write `out`: a file, for pts a folder.

    kaggle: training.csv; label cells nobody touched come back byte by byte. submission: RowId,Location for `lookup`
    (Kaggle's IdLookupTable.csv). csv: image, group, split, coordinates; with `states` also one column per keypoint.
    pts: 300-W files with their images. run: predictions of this run instead of labels.
    Raises UserError for what the user can fix, Cancelled; then `out` is as it was.
    """
    out = Path(out)
    values = Values(project, run)
    tell = Progress(progress, cancelled)
    tell(0.0, f"Writing {out.name}")
    count, notes = _writer(format, lookup=lookup, states=states)(values, out, tell)
    return ExportReport(out, count, tuple(notes))


def _writer(kind: str, *, lookup: Path | None, states: bool) -> _Writer:
    if kind == "submission":
        if lookup is None:
            raise UserError(
                "A submission needs Kaggle's IdLookupTable.csv, which says what is asked; give it with --lookup."
            )
        return lambda values, out, tell: write_submission(values, out, tell, lookup=lookup)
    if kind == "csv":
        return lambda values, out, tell: write_csv(values, out, tell, states=states)
    if kind in EXPORT_FORMATS:
        return write_kaggle if kind == "kaggle" else write_pts
    raise UserError(f"There is no export format {kind!r}; choose one of {', '.join(EXPORT_FORMATS)}.")
