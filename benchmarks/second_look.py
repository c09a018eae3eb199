"""The gain of a second look at rotated faces: errors of a run on val with and without it, per imported table.

    python -m benchmarks.second_look PROJECT RUN [--limits 5,10,15]

RUN: a run's folder name. limits: degrees at which a face is predicted again (`training.learning.inference.second_look.LIMIT`). Prints the RMSE
in px of the image, the median error of a face (root mean square over its coordinates), and the RMSE without the worst
5 %.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.learning.evaluation.evaluate import load_for, predict_faces
from training.learning.inference import second_look
from training.storage.project.project import Project
from training.storage.runs.run import Run

WORST = 0.05  # share of the faces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("run")
    parser.add_argument("--limits", default=str(second_look.LIMIT))
    args = parser.parse_args()
    with Project.open(args.project, read_only=True) as project:
        index = project.index()
        ids = index.ids[index.splits == 1]
        sizes = np.stack([index.widths, index.heights], axis=1).astype(np.int32)[ids - 1]
        labels = project.labels(ids).vouched_points
        tables = np.array([source.split("#")[0] for source in project.sources(ids)])
        predictor = load_for(project, Run(project.runs_dir / args.run), "cpu", adjusted=False)
        for limit in (None, *map(float, args.limits.split(","))):
            second_look.LIMIT = limit or second_look.LIMIT
            config = predictor.info.config.changed(upright=limit is not None)
            predictor.info = replace(predictor.info, config=config)
            squared = np.square(predict_faces(predictor, project, ids, sizes=sizes) - labels)
            for table in np.unique(tables):
                tell(table, limit, squared[tables == table])


def tell(table: str, limit: float | None, squared: np.ndarray) -> None:
    """squared: [N, K, 2] px^2, NaN without a label."""
    faces = np.sort(np.nanmean(squared, axis=(1, 2)))
    rest = faces[: len(faces) - round(WORST * len(faces))]
    look = "one look" if limit is None else f"again from {limit:g} degrees"
    print(
        f"{table}, {len(faces)} faces, {look}: RMSE {np.sqrt(np.nanmean(squared)):.3f} px, half below "
        f"{np.sqrt(np.median(faces)):.3f}, without the worst {WORST:.0%} {np.sqrt(rest.mean()):.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
