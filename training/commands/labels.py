"""fkp labels: detect a systematic shift in the labels, using mirrored faces, and correct it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.commands.shared.output import note, say, say_json, table
from training.commands.shared.predict_all import progress_of
from training.errors import UserError
from training.storage.runs.run import Run

if TYPE_CHECKING:
    from training.assist.offsets.label_offsets import LabelOffset
    from training.assist.offsets.project_check import Checked
    from training.storage.project.project import Project


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT [--run RUN] [--mend] [--json]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument("--run", dest="run_name", metavar="RUN", help="also compare with this run's predictions")
    parser.add_argument(
        "--mend", action="store_true", help="correct a shift of imported labels; undo in the window reverts it"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Check, report, and correct with --mend."""
    from training.assist.offsets.project_check import CANNOT_TELL, ONLY_SIDEWAYS, check_labels
    from training.storage.project.project import Project

    with Project.open(args.project, read_only=not (args.mend or args.run_name)) as project:
        run = _predicted(project, args.run_name) if args.run_name else None
        with progress_of(project, "check"):
            checked = check_labels(project, run)
        mended = [_mend(project, part) for part in checked] if args.mend else []
        titles = project.schema.titles
    if args.json:
        say_json({"imports": [facts(part, titles) for part in checked], "mended": mended})
        return 0
    for part in checked:
        for line in lines(part, titles, several=len(checked) > 1):
            say(line)
    for sentence in mended:
        say(sentence)
    note(ONLY_SIDEWAYS if any(part.best for part in checked) else CANNOT_TELL)
    return 0


def _predicted(project: Project, name: str) -> Run:
    """The run, after it has predicted every face."""
    from training.commands.shared.find_run import find_own_run
    from training.commands.shared.predict_all import note_unreadable, predict_into
    from training.storage.runs.model.prediction_stamp import lacking

    run = find_own_run(name, project)
    missing = lacking(project, run, project.kept_ids())
    if len(missing):
        note_unreadable(predict_into(project, run, missing))
    return run


def _mend(project: Project, part: Checked) -> str:
    from training.assist.offsets.project_check import mend_labels

    if part.best is None or not part.best.worth_telling:
        return f"No labels were shifted in {part.source}."
    with progress_of(project, "correct"):
        done = mend_labels(project, part, part.best.mend)
    if done.step is None:
        raise UserError(f"{part.source} has no imported labels to shift.")
    return (
        f"{done.points:,} imported labels of {len(done.ids):,} faces shifted by {part.best.mend:+.2f} px in x; "
        "manual and model labels were kept. Undo in the window reverts it. Earlier runs still predict the old "
        "positions."
    )


def facts(part: Checked, titles: tuple[str, ...]) -> dict[str, Any]:
    """One import as plain values."""
    return {
        "source": part.source,
        "faces": len(part.ids),
        "imported_points": part.imported,
        "found": [_found(found, titles) for found in (part.found, part.by_run) if found is not None],
        "rmse_before": part.before,
        "rmse_after": part.after,
    }


def _found(found: LabelOffset, titles: tuple[str, ...]) -> dict[str, Any]:
    return {
        "by": found.by,
        "sentence": found.sentence,
        "offset": found.common,
        "interval": [found.low, found.high],
        "faces": found.faces,
        "worth_telling": found.worth_telling,
        "keypoints": dict(zip(titles, found.per_keypoint, strict=True)),
    }


def lines(part: Checked, titles: tuple[str, ...], *, several: bool) -> list[str]:
    """One import as text."""
    text = [f"{part.source}:"] if several else []
    ways = [found for found in (part.found, part.by_run) if found is not None]
    text += [f"From the {'images' if f.by == 'pictures' else f'predictions of {f.by}'}: {f.sentence}" for f in ways]
    if not ways:
        return [*text, "There is not enough data to check these labels."]
    if part.before == part.before:
        text.append(
            f"RMSE of {ways[-1].by} against these labels: {part.before:.2f} px; "
            f"against corrected labels: {part.after:.2f} px."
        )
    cells = [
        [f"{f.per_keypoint[k]:+.2f} ± {f.margin[k]:.2f}" if f.margin[k] == f.margin[k] else "-" for f in ways]
        for k in range(len(titles))
    ]
    rows = [(title, *cell) for title, cell in zip(titles, cells, strict=True)]
    return [*text, "", *table(rows, head=("px to the right", *(f"by {f.by}" for f in ways))), ""]
