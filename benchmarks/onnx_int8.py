"""Compares a run's ONNX export with 8-bit convolutions and in float32: error on val, size, and speed on one core.

    python benchmarks/onnx_int8.py PROJECT RUN [--repeats 5]

Runs in onnxruntime, without the mirrored view. Processor time of one thread, measured alternately; medians.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

from training.commands.shared.find_run import find_run
from training.learning.inference.onnx import export_onnx
from training.storage.project.project import Project

BATCH = 64


def main() -> None:
    """Export both, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("run")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    model = find_run(args.run, args.project)
    with tempfile.TemporaryDirectory() as scratch:
        files = {"float32": Path(scratch) / "float32.onnx", "8-bit": Path(scratch) / "int8.onnx"}
        plain = export_onnx(model, files["float32"], mirrored=False, upright=False)
        export_onnx(model, files["8-bit"], mirrored=False, upright=False, int8_from=args.project)
        sessions = {name: session(path) for name, path in files.items()}
        sizes = {name: path.stat().st_size for name, path in files.items()}
    images, labels, scale = val(args.project, plain.shape)
    many: dict[str, list[float]] = {name: [] for name in sessions}
    one: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(args.repeats):
        for name, made in sessions.items():
            many[name].append(cost(made, images, BATCH))
            one[name].append(cost(made, images[:20], 1))
    for name, made in sessions.items():
        points = np.concatenate([found(made, images[n : n + BATCH]) for n in range(0, len(images), BATCH)])
        error = np.sqrt(np.nanmean(np.square(points * scale - labels)))
        fast, single = 1 / statistics.median(many[name]), 1000 * statistics.median(one[name])
        print(
            f"{name:8s} {sizes[name] / 1e6:5.1f} MB  RMSE {error:.3f} px  {fast:6.0f} faces/s  one face {single:.1f} ms"
        )
    ratio = statistics.median(a / b for a, b in zip(many["float32"], many["8-bit"], strict=True))
    print(f"8-bit is {ratio:.2f} times as fast on {len(images)} val faces")


def session(path: Path) -> onnxruntime.InferenceSession:
    """A session on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def found(made: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    """Points [B, K, 2], px of the images."""
    return np.asarray(made.run(None, {"pictures": images})[0])


def cost(made: onnxruntime.InferenceSession, images: np.ndarray, batch: int) -> float:
    """Seconds of processor time per image."""
    start = time.thread_time()
    for n in range(0, len(images), batch):
        found(made, images[n : n + batch])
    return (time.thread_time() - start) / len(images)


def val(path: Path, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images [N, C, S, S] of the val split, labels [N, K, 2] px, and the scale from image px to label px."""
    channels, side, _ = shape
    with Project.open(path, read_only=True) as project:
        ids = project.ids()[project.index().splits == 1]
        images = project.images(ids, size=side, channels=channels)
        labels = project.labels(ids).points
        sizes = np.array([project.image(int(i)).shape[1::-1] for i in ids], np.float64)
    planes = images[:, None] if channels == 1 else images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(planes), labels, sizes[:, None] / side


if __name__ == "__main__":
    main()
