"""The error that several models have in common, which neither another seed nor an ensemble removes.

    python -m benchmarks.common_error PROJECT MODEL MODEL [...] [--source photos15.csv]

MODEL: a run folder of any project with these keypoints. source: use only val faces imported from it. Prints each
model's RMSE in px on val, the RMSE of the models' average, and for each pair the correlation of their errors, per
coordinate. Errors shared by models that differ in seed, size or training data come from the labels, or from what the
images and the training faces do not determine. The common part in px is sqrt(mean product of two models' errors).
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np

from training.learning.evaluation.evaluate import load_for, predict_faces
from training.storage.project.project import Project
from training.storage.runs.run import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--source", default="")
    args = parser.parse_args()
    with Project.open(args.project, read_only=True) as project:
        index = project.index()
        ids = index.ids[index.splits == 1]
        ids = ids[[source.startswith(args.source) for source in project.sources(ids)]]
        sizes = np.stack([index.widths, index.heights], axis=1).astype(np.int32)[ids - 1]
        labels = project.labels(ids).vouched_points
        errors = {}
        for model in args.models:
            predictor = load_for(project, Run(model), "cpu", adjusted=False)
            errors[f"{model.parent.parent.name}/{model.name}"] = (
                predict_faces(predictor, project, ids, sizes=sizes) - labels
            )
    tell(errors)


def tell(errors: dict[str, np.ndarray]) -> None:
    """Print the measures. errors: [N, K, 2] px per model, NaN without a label."""
    for name, error in errors.items():
        print(f"{name}, {len(error)} faces: RMSE {rms(error):.3f} px")
    print(f"the average of all: RMSE {rms(np.mean(list(errors.values()), axis=0)):.3f} px")
    for (one, first), (other, second) in combinations(errors.items(), 2):
        common = float(np.nanmean(first * second))
        print(f"{one} and {other}: correlation {common / rms(first) / rms(second):.3f}, common {common**0.5:.3f} px")


def rms(error: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(np.square(error))))


if __name__ == "__main__":
    main()
