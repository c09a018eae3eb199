"""fkp info: summarise a project."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.commands.shared.output import say, say_json, table
from training.storage.project.tables.imports import read_imports
from training.storage.project.tables.label_table import label_table

if TYPE_CHECKING:
    from training.storage.project.project import Project
    from training.storage.runs.listing import RunInfo

MOST_PROBLEMS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PROJECT [--json]"""
    parser.add_argument("project", type=Path, metavar="PROJECT", help="folder of the project")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    from training.storage.project.project import Project

    with Project.open(args.project, read_only=True) as project:
        facts = collect(project)
    if args.json:
        say_json(facts)
    else:
        for line in lines(facts):
            say(line)
    return 0


def collect(project: Project) -> dict[str, Any]:
    """The summary as plain values."""
    from training.faces.labels.labels import PointState
    from training.storage.project.tables.packed_columns import SPLITS
    from training.storage.runs.listing import damaged_runs, list_runs

    index, counts = project.index(), label_table(project.database, len(project.schema))
    keypoints = [
        {
            "name": name,
            "labelled": int(row[PointState.VISIBLE] + row[PointState.OCCLUDED]),
            "occluded": int(row[PointState.OCCLUDED]),
            "absent": int(row[PointState.ABSENT]),
            "missing": int(row[PointState.UNSET]),
        }
        for name, row in zip(project.schema.keypoints, counts, strict=True)
    ]
    label_hash, imports = project.label_hash(), read_imports(project.database)
    kept = index.kept
    return {
        "project": str(project.path),
        "name": project.name,
        "schema": project.schema.name,
        "samples": int(kept.sum()),
        "removed": int((~kept).sum()),
        "subsets": dict(sorted(Counter(filter(None, project.faces().subsets)).items())),
        "splits": {name: int((index.splits == i).sum()) for i, name in enumerate(SPLITS)},
        "complete": int((index.missing[kept] == 0).sum()),
        "missing_points": int(index.missing[kept].sum()),
        "to_review": int((index.to_review[kept] > 0).sum()),
        "flagged": int(index.flagged[kept].sum()),
        "picture_sizes": _sizes(index.widths[kept], index.heights[kept]),
        "keypoints": keypoints,
        "runs": [_run(r, label_hash) for r in list_runs(project.runs_dir)],
        "sources": [{"source": i.source, "samples": i.count, "problems": len(i.problems)} for i in imports],
        "problems": [*damaged_runs(project.runs_dir).values(), *(p for i in imports for p in i.problems)],
    }


def _sizes(widths: np.ndarray, heights: np.ndarray) -> dict[str, int]:
    """The five most frequent image sizes, and the number of all others."""
    sizes, counts = np.unique(np.stack([widths, heights], axis=1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    found = {f"{sizes[i][0]} x {sizes[i][1]}": int(counts[i]) for i in order[:5].tolist()}
    return found if len(counts) <= 5 else {**found, "other": int(counts[order[5:]].sum())}


def _run(run: RunInfo, label_hash: str) -> dict[str, Any]:
    best = run.best
    return {
        "name": run.name,
        "status": run.status,
        "epochs": run.last.epoch if run.last else 0,
        "rmse": best.rmse if best else None,
        "nme": best.nme if best else None,
        "stale": run.is_stale(label_hash),
        "message": run.message,
    }


def lines(facts: dict[str, Any]) -> list[str]:
    """The summary as text."""
    splits = ", ".join(f"{count:,} {name}" for name, count in facts["splits"].items())
    subsets = ", ".join(f"{count:,} {name}" for name, count in facts["subsets"].items())
    sizes = ", ".join(f"{size} ({count:,})" for size, count in facts["picture_sizes"].items())
    text = [
        f"{facts['name']}: {facts['samples']:,} samples with {len(facts['keypoints'])} keypoints ({facts['schema']})",
        f"splits: {splits}" + (f"; {facts['removed']:,} removed" if facts["removed"] else ""),
        *([f"subsets: {subsets}"] if subsets else []),
        f"images: {sizes or 'none'}",
        f"complete: {facts['complete']:,} samples; {facts['missing_points']:,} points are missing",
        f"to review: {facts['to_review']:,} samples with model predictions; {facts['flagged']:,} flagged at import",
        "",
    ]
    rows = [(k["name"], k["labelled"], k["occluded"], k["absent"], k["missing"]) for k in facts["keypoints"]]
    text += table(rows, head=("keypoint", "labelled", "occluded", "absent", "missing"))
    if facts["runs"]:
        text += [
            "",
            *table([_run_row(r) for r in facts["runs"]], head=("run", "status", "epochs", "rmse px", "labels")),
        ]
    text += [f"{r['name']}: {r['message']}" for r in facts["runs"] if r["message"]]
    text += ["", *(f"source: {s['source']} ({s['samples']:,} samples)" for s in facts["sources"])]
    problems = facts["problems"]
    text += [f"problem: {p}" for p in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        text.append(f"... and {len(problems) - MOST_PROBLEMS:,} more problems: --json lists them all")
    return text


def _run_row(run: dict[str, Any]) -> tuple[object, ...]:
    rmse = "-" if run["rmse"] is None else f"{run['rmse']:.3f}"
    return run["name"], run["status"], run["epochs"], rmse, "changed since" if run["stale"] else "unchanged"
