"""Redraws docs/images from the tour on synthetic faces, with enough training to show something. `make screenshots` runs it.

python docs/make_screenshots.py [--minutes M] [--samples N]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOOP = ("loop-1-open", "loop-2-look", "loop-3-label", "loop-4-train", "loop-5-fill")
NAMES = ("window", *LOOP, "ellipses", "photos", "dark", "poses", "augmentation")


def main() -> int:
    """Runs the tour in a temporary folder and copies its screenshots; changes nothing if the tour fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.5, help="training time of each recipe")
    parser.add_argument("--samples", type=int, default=1000, help="synthetic faces in the demo project")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from fkp_studio.tour.tour import main as tour

    images = ROOT / "docs" / "images"
    with tempfile.TemporaryDirectory() as folder:
        code = tour(Path(folder), minutes=arguments.minutes, samples=arguments.samples)
        if code != 0:
            return code
        images.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            shutil.copyfile(Path(folder) / f"{name}.png", images / f"{name}.png")
            print(images / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
