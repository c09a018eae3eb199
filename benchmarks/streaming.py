"""Training images/s and memory with a run's images in memory and streamed from a file.

    python benchmarks/streaming.py [--faces 50000] [--steps 60] [--recipe ml-resnet] [--folder DIR]

Faces are drawn once and repeated. Each way runs in a separate process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from training.faces.labels.schema import KAGGLE_15
from training.learning.fit.step.trainer import Trainer
from training.learning.inference.device import keep_memory, set_threads
from training.storage.project.network_pixels import MappedImages
from training.storage.runs.inputs.data import RunData
from training.storage.runs.settings.recipes import recipe_config
from training.synthetic.faces import make_faces

_DRAWN = 200
_WARM_UP = 3  # steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=50_000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--recipe", default="ml-resnet")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--way", choices=("memory", "streamed"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measure(args)), flush=True)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        draw(Path(folder), args.faces)
        for way in ("memory", "streamed"):
            words = [*sys.argv[1:], "--folder", folder, "--way", way]
            subprocess.run([sys.executable, __file__, *words], check=True)


def draw(folder: Path, count: int) -> None:
    """Images of 96 px and labels of `count` faces: a few synthetic ones, repeated."""
    faces = make_faces(_DRAWN)
    np.save(folder / "points.npy", np.resize(faces.points, (count, 15, 2)).astype(np.float32))
    file = np.lib.format.open_memmap(folder / "pictures.npy", "w+", np.uint8, (count, 96, 96))
    for start in range(0, count, _DRAWN):
        file[start : start + _DRAWN] = faces.images[: count - start]
    file.flush()


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Median images/s of a step, and the process's peak memory in MB: its own, and including mapped files."""
    keep_memory()
    config = recipe_config(args.recipe).changed(device="cpu", threads=set_threads(args.threads))
    path, points = args.folder / "pictures.npy", np.load(args.folder / "points.npy")
    in_memory = args.way == "memory"
    rows = np.arange(len(points))
    images = np.load(path) if in_memory else MappedImages(np.asarray(np.load(path, mmap_mode="r")), rows)
    size = np.full((len(rows), 2), 96, np.int32)
    trainer = Trainer(config, RunData(images, points, size, rows, rows[:8], KAGGLE_15))
    trainer.settle()
    times = []
    own = 0
    for batch in trainer.epoch_rows()[: args.steps + _WARM_UP]:
        start = time.perf_counter()
        trainer.train_step(batch, done=0.5)
        times.append(time.perf_counter() - start)
        own = max(own, own_memory())
    return {
        "way": args.way,
        "pictures_mb": round(path.stat().st_size / 1e6),
        "images_per_second": round(config.optim.batch_size / float(np.median(times[_WARM_UP:])), 1),
        "own_memory_mb": round(own / 1e6),
        "peak_with_files_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
        "threads": torch.get_num_threads(),
        "precision": trainer.precision,
    }


def own_memory() -> int:
    """Bytes of anonymous memory of this process, on Linux."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
