"""Label offsets, planted and detected on synthetic faces, and those detected in projects, which are not changed.

python -m benchmarks.label_offsets [--faces 1500] [PROJECT ...]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from training.assist.offsets.label_offsets import from_images
from training.assist.offsets.project_check import check_labels
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.project import Project
from training.synthetic.faces import make_faces

PLANTED = (0.0, 0.3, 0.6, 1.2, -1.2, 2.4)  # px


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=1500)
    parser.add_argument("projects", nargs="*", type=Path)
    args = parser.parse_args()
    faces = make_faces(args.faces, seed=0, label_noise=0.4, planted_errors=0.0, missing="none")
    points, groups = faces.labels.points, np.array(faces.groups)
    print("planted px  found px  95 % interval  reported  seconds")
    for dx in PLANTED:
        start = time.process_time()
        found = from_images(lambda n: faces.images[n], points + np.array([dx, 0]), KAGGLE_15, groups)
        if found is not None:
            spent = time.process_time() - start
            print(
                f"{dx:+.1f}  {found.common:+.2f}  {found.low:+.2f} to {found.high:+.2f}  {found.worth_telling}  {spent:.1f}"
            )
    for path in args.projects:
        with Project.open(path, read_only=True) as project:
            for part in check_labels(project):
                print(f"{path.name}, {part.source}: {part.found.sentence if part.found else 'no result'}")


if __name__ == "__main__":
    main()
