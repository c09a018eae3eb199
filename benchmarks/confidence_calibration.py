"""Whether confidences are calibrated on people they were not fitted on.

    python benchmarks/confidence_calibration.py PROJECT RUN... [--truth labels_complete.csv]

The val faces are divided into five folds by person (or photo); each is judged by a calibration fitted on the other
four. With --truth the calibration is fitted on all of val and judged on the missing labels of train, which the file
provides (columns image, then x and y of each keypoint).
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from training.commands.shared.output import say, table
from training.faces.images.reading import resize_points
from training.faces.measures.calibration import Calibration, Views, fit_calibration
from training.faces.measures.reliability import judge
from training.learning.inference.predictor import Predictor
from training.storage.project.project import Project
from training.storage.runs.inputs.data import load_readable
from training.storage.runs.run import Run

PARTS = 5
LIMITS, BUDGETS = (0.05, 0.10), (0.01, 0.02, 0.05, 0.10, 0.20)
CHUNK = 512


class Seen:
    """Replaces a Predictor's calibration and records its inputs."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self.disagreement: list[np.ndarray] = []
        self.sizes: list[np.ndarray] = []

    def probability(self, disagreement: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Nothing of use."""
        self.disagreement.append(disagreement)
        self.sizes.append(sizes)
        return np.zeros(disagreement.shape, np.float32)


@dataclass(frozen=True)
class Evidence:
    """disagreement [N, K], sizes [N], errors [N, K] (fractions of the inter-ocular distance; NaN: no label), groups."""

    disagreement: np.ndarray
    sizes: np.ndarray
    errors: np.ndarray
    groups: np.ndarray

    def rows(self, rows: np.ndarray) -> Evidence:
        """A subset of the faces."""
        return Evidence(self.disagreement[rows], self.sizes[rows], self.errors[rows], self.groups[rows])

    def fit(self) -> Calibration:
        """Fit a calibration on these faces."""
        return fit_calibration(self.disagreement, self.errors, self.sizes)


def gather(
    project: Project, run: str, split: int, *, views: Views | None, target: np.ndarray | None = None
) -> Evidence:
    """A run's predictions on a split, against its labels or `target` [M, K, 2] of all samples of the project."""
    predictor = Predictor.load(Run(project.runs_dir / run), "cpu")
    predictor.calibration = seen = Seen(predictor.calibration.views if views is None else views)  # type: ignore[assignment]
    index = project.index()
    chosen = np.flatnonzero(index.splits == split)
    side, errors = predictor.info.config.network.input_size, []
    for start in range(0, len(chosen), CHUNK):
        rows = chosen[start : start + CHUNK]
        points, none = predictor.predict(load_readable(project, index.ids[rows], predictor.info.config)[0])
        sizes = np.stack([index.widths[rows], index.heights[rows]], axis=1)
        labels = project.labels(index.ids[rows])
        truth = np.where(labels.mask[..., None], labels.points, np.nan) if target is None else target[rows]
        part = np.full(none.shape, np.nan)
        known = np.isfinite(truth).all(axis=-1)
        part[known] = judge(resize_points(points, (side, side), sizes), none, truth, project.schema, sizes=sizes).errors
        if target is not None:
            part[labels.mask] = np.nan  # the project has these
        errors.append(part)
    groups = np.array(project.groups(index.ids[chosen]))
    return Evidence(np.concatenate(seen.disagreement), np.concatenate(seen.sizes), np.concatenate(errors), groups)


def by_person(found: Evidence) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """limit -> (P(wrong) [M], error [M]), each point judged by a calibration not fitted on its person."""
    people = np.unique(found.groups)
    part_of = dict(zip(people.tolist(), np.random.default_rng(0).permutation(len(people)) % PARTS, strict=True))
    parts = np.array([part_of[g] for g in found.groups.tolist()])
    wrong = {limit: np.zeros(found.errors.shape) for limit in LIMITS}
    for part in range(PARTS):
        fitted, here = found.rows(parts != part).fit(), parts == part
        for limit in LIMITS:
            wrong[limit][here] = fitted.wrong(found.disagreement[here], found.sizes[here], beyond=limit)
    known = np.isfinite(found.errors)
    return {limit: (values[known], found.errors[known]) for limit, values in wrong.items()}


def tell(title: str, judged: dict[float, tuple[np.ndarray, np.ndarray]]) -> None:
    """Print the calibration error, the Brier score (and that of the base rate), and what each budget accepts."""
    say(f"\n{title}: {len(judged[LIMITS[0]][0]):,} points\n")
    rows, kept = [], []
    for limit, (wrong, errors) in judged.items():
        truth = errors > limit
        order = np.argsort(wrong, kind="stable")
        ece = sum(abs(wrong[p].mean() - truth[p].mean()) * len(p) for p in np.array_split(order, 15)) / len(wrong)
        share = truth.mean()
        brier = np.square(wrong - truth).mean()
        rows.append(
            (
                f"{limit:.0%}",
                f"{share:.1%}",
                f"{wrong.mean():.1%}",
                f"{ece:.1%}",
                f"{brier:.4f}",
                f"{share * (1 - share):.4f}",
            )
        )
        expected = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
        for budget in BUDGETS:
            count = int((expected <= budget).sum())
            real = f"{truth[order[:count]].mean():.1%}" if count else "-"
            kept.append((f"{limit:.0%}", f"{budget:.0%}", f"{count / len(order):.1%}", real))
    for line in table(rows, head=("beyond", "wrong", "predicted", "ECE", "Brier", "Brier of the share")):
        say(line)
    say("")
    for line in table(kept, head=("beyond", "at most wrong", "accepted", "actually wrong")):
        say(line)


def read_truth(path: Path, project: Project) -> np.ndarray:
    """[M, K, 2] of all samples of the project, by name; NaN where the file has no value."""
    columns = project.schema.columns
    with path.open(newline="", encoding="utf-8") as file:
        known = {r["image"]: [float(r[c]) if r[c] else np.nan for c in columns] for r in csv.DictReader(file)}
    nothing = [np.nan] * len(columns)
    values = [known.get(name, known.get(Path(name).name, nothing)) for name in project.names()]
    return np.array(values).reshape(len(values), -1, 2)


def main() -> None:
    """Measure each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--views", choices=get_args(Views), help="what disagrees; default: as the run was calibrated")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with Project.open(args.project, read_only=True) as project:
        for run in args.runs:
            val = gather(project, run, 1, views=args.views)
            tell(f"{run}, val by person", by_person(val))
            if args.truth is not None:
                truth = read_truth(args.truth, project)
                fitted, holes = val.fit(), gather(project, run, 0, views=args.views, target=truth)
                known = np.isfinite(holes.errors)
                wrong = {t: fitted.wrong(holes.disagreement, holes.sizes, beyond=t)[known] for t in LIMITS}
                tell(f"{run}, the missing labels of train", {t: (w, holes.errors[known]) for t, w in wrong.items()})


if __name__ == "__main__":
    main()
