"""How much a face's labels improve the prediction of its missing points, per keypoint.

    python benchmarks/fill_gain.py PROJECT RUN LABELS_COMPLETE.csv

PROJECT lacks labels that the CSV has (columns `image` and those of the keypoints). Only train rows count: the fill
model, fitted on val, has not seen them. Faces without predictions of the run are predicted and stored first. The
interval is from a paired bootstrap over people (the project's groups). The last lines show the gain on val, with only
those points known that most train rows have and the model fitted on other people, and whether ellipses and confidences
are calibrated.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.assist.filling.fill_of_run import make_fill
from training.assist.filling.model import fit_fill, given_labels
from training.commands.shared.find_run import find_own_run
from training.commands.shared.predict_all import predict_into
from training.errors import UserError
from training.faces.labels.schema import KeypointSchema
from training.faces.measures.calibration import CLOSE
from training.faces.measures.metrics import normaliser
from training.storage.project.project import Project
from training.storage.project.tables.packed_columns import read_sizes
from training.storage.runs.model.prediction_stamp import lacking
from training.storage.runs.run import Run

ROUNDS, FOLDS = 1000, 5


@dataclass(frozen=True)
class Faces:
    """truth, plain, filled [N, K, 2] px; missing [N, K], the points that count; groups [N]."""

    truth: np.ndarray
    plain: np.ndarray
    filled: np.ndarray
    missing: np.ndarray
    groups: np.ndarray


def main() -> None:
    """Print the table of each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("run")
    parser.add_argument("complete", type=Path)
    args = parser.parse_args()
    with Project.open(args.project) as project:
        run = find_own_run(args.run, project)
        needed = lacking(project, run, project.ids())
        if len(needed):
            predict_into(project, run, needed)
        measure(project, run, args.complete)


def measure(project: Project, run: Run, complete: Path) -> None:
    """Print the table of a run with all predictions stored."""
    fill, ids = make_fill(project, run), project.ids()
    if fill is None:
        raise UserError(f"{run.name} has no fill model: too few faces of val are labelled.")
    truth = read_truth(complete, project.names(), project.schema)
    labels, says, sizes = project.labels(ids), project.predictions(run.name, ids), read_sizes(project.database, ids)
    given, covariances = given_labels(fill, labels, says, sizes)
    train = project.index().splits == 0
    missing = labels.missing & np.isfinite(truth).all(axis=-1) & train[:, None]
    groups = np.array(project.groups())
    rows = missing.any(axis=1)
    faces = Faces(truth[rows], says.points[rows], given.points[rows], missing[rows], groups[rows])
    print(
        f"{run.name}: {int(missing.sum()):,} missing points of {rows.sum():,} train faces, "
        f"fitted on {fill.faces} val faces"
    )
    table(faces, project.schema)
    across_val(project, run.name, truth, labels.mask, groups)
    honesty(faces, covariances[rows], given.confidences[rows], project.schema, sizes[rows])


def read_truth(path: Path, names: list[str], schema: KeypointSchema) -> np.ndarray:
    """[N, K, 2] px by image name; NaN where the file has no row."""
    with path.open(newline="", encoding="utf-8") as file:
        found = {row["image"]: [float(row[c] or "nan") for c in schema.columns] for row in csv.DictReader(file)}
    nothing = [np.nan] * (2 * len(schema))
    values = [found.get(name, found.get(Path(name).name, nothing)) for name in names]
    return np.array(values).reshape(len(names), len(schema), 2)


def table(faces: Faces, schema: KeypointSchema) -> None:
    """Print errors and gains per keypoint and overall."""
    before, after = errors(faces.plain, faces.truth), errors(faces.filled, faces.truth)
    print("| keypoint | points | plain, mean px | given labels, mean px | gain | plain, median px | given, median px |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for k in [*np.flatnonzero(faces.missing.any(axis=0)).tolist(), None]:
        where = faces.missing.copy()
        if k is not None:
            where[:, np.arange(len(schema)) != k] = False
        a, b = before[where], after[where]
        name = "all" if k is None else schema.titles[k]
        print(
            f"| {name} | {len(a):,} | {a.mean():.2f} | {b.mean():.2f} | {1 - b.mean() / a.mean():.0%} "
            f"| {np.median(a):.2f} | {np.median(b):.2f} |"
        )
    rmse = [float(np.sqrt((e[faces.missing] ** 2).mean() / 2)) for e in (before, after)]
    low, high = interval(before, after, faces)
    print(f"RMSE {rmse[0]:.2f} -> {rmse[1]:.2f} px ({1 - rmse[1] / rmse[0]:.0%})")
    print(f"gain of the mean error, 95 % of {ROUNDS:,} bootstraps over people: {low:.1%} to {high:.1%}")


def errors(points: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distances [N, K] px."""
    return np.asarray(np.linalg.norm(points - truth, axis=-1))


def interval(before: np.ndarray, after: np.ndarray, faces: Faces) -> tuple[float, float]:
    """The gain's 95 % bootstrap interval over people."""
    _, who = np.unique(faces.groups, return_inverse=True)
    count = int(who.max()) + 1
    sums = [np.bincount(who, np.where(faces.missing, e, 0).sum(axis=1), count) for e in (before, after)]
    draws = np.random.default_rng(0).integers(0, count, (ROUNDS, count))
    gains = 1 - sums[1][draws].sum(axis=1) / sums[0][draws].sum(axis=1)
    low, high = np.quantile(gains, (0.025, 0.975))
    return float(low), float(high)


def across_val(project: Project, run: str, truth: np.ndarray, present: np.ndarray, groups: np.ndarray) -> None:
    """Print the gain on val, on people the fill model was not fitted on."""
    index = project.index()
    patterns, counts = np.unique(present[index.splits == 0], axis=0, return_counts=True)
    partial = ~patterns.all(axis=1) & patterns.any(axis=1)
    if not partial.any():
        return
    known = patterns[partial][counts[partial].argmax()]
    ids = index.ids[index.splits == 1]
    plain, true = project.predictions(run, ids).points.astype(float), truth[index.splits == 1]
    sizes, filled = read_sizes(project.database, ids), plain.copy()
    _, who = np.unique(groups[index.splits == 1], return_inverse=True)
    for fold in range(FOLDS):
        out = who % FOLDS == fold
        fill = fit_fill(plain[~out], true[~out], sizes[~out])
        if fill is None or not out.any():
            return
        mask = np.broadcast_to(known, true[out].shape[:2])
        filled[out], _ = fill.condition_all(plain[out], true[out], mask, sizes=sizes[out])
    a, b = (np.nanmean(errors(p, true)[:, ~known]) for p in (plain, filled))
    print(
        f"val, {FOLDS} folds over people, {int(known.sum())} points known: mean {a:.2f} -> {b:.2f} px ({1 - b / a:.0%})"
    )


def honesty(
    faces: Faces, covariances: np.ndarray, confidences: np.ndarray, schema: KeypointSchema, sizes: np.ndarray
) -> None:
    """Print whether 95 % of points lie in their ellipses, and whether confidences are calibrated."""
    off = (faces.truth - faces.filled)[faces.missing]
    far = np.einsum("ni,nij,nj->n", off, np.linalg.inv(covariances[faces.missing]), off)
    unit = normaliser(faces.truth, "interocular", schema, sizes=sizes)
    close = errors(faces.filled, faces.truth) < CLOSE * unit[:, None]
    said, was = confidences[faces.missing].mean(), close[faces.missing].mean()
    print(f"within the 95 % ellipse: {(far < 5.991).mean():.1%}; confidence on average {said:.1%}, true {was:.1%}")


if __name__ == "__main__":
    main()
