"""Faces/s in batches and milliseconds per single face by recipe, compared with a bare forward pass and onnxruntime.

    python benchmarks/prediction_speed.py [--recipes fast,recommended] [--threads 1]

Untrained networks with 15 keypoints: the speed does not depend on the weights. Processor time of one thread, which does
not depend on the machine's load; two idle cores reach up to twice as many faces.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from training.faces.labels.schema import KAGGLE_15
from training.faces.measures.calibration import default_calibration
from training.learning.augment.batch import prepare
from training.learning.inference.averaged_views import views_of
from training.learning.inference.checkpoint import ModelInfo, load_model, save_model
from training.learning.inference.device import keep_memory, mixed_precision, to_channels_last
from training.learning.inference.onnx import export_onnx
from training.learning.inference.predictor import Predictor
from training.learning.models.registry import make_model
from training.storage.runs.run import Run
from training.storage.runs.settings.recipes import recipe_config

FACES = 256


def seconds(call: Callable[[], object], repeats: int) -> float:
    """The least processor time of a call."""
    call()
    costs = []
    for _ in range(repeats):
        start = time.thread_time()
        call()
        costs.append(time.thread_time() - start)
    return min(costs)


def line(name: str, many: Callable[[], object], one: Callable[[], object]) -> None:
    """Measure and print."""
    print(
        f"  {name:38s} {FACES / seconds(many, 5):8,.0f} faces/s   one face {1000 * seconds(one, 20):6.2f} ms",
        flush=True,
    )


def measure(recipe: str, folder: Path) -> None:
    """All formats of one recipe."""
    import onnxruntime

    config, run = recipe_config(recipe), Run(folder)
    network = make_model(config, 15)
    calibration = replace(default_calibration(15), views=views_of(network))
    save_model(run.model, network.state_dict(), ModelInfo(config, KAGGLE_15, "bfloat16", calibration=calibration))
    shape = (FACES, config.network.input_size, config.network.input_size) + (
        (3,) if config.network.channels == 3 else ()
    )
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    model = to_channels_last(load_model(run)[0])
    x = prepare(torch.from_numpy(images), channels=config.network.channels, pixels=config.network.pixels)
    predictor = Predictor.load(run, "cpu")
    print(f"{recipe}: {config.network.model}, {config.network.input_size} px, {predictor.precision}")

    @torch.inference_mode()
    def bare(inputs: torch.Tensor, precision: str) -> None:
        with mixed_precision(predictor.device, precision):
            for part in inputs.split(64):
                model(part)

    for precision in ("float32", "bfloat16"):
        line(f"bare forward, {precision}", lambda p=precision: bare(x, p), lambda p=precision: bare(x[:1], p))  # type: ignore[misc]
    line("predict_points", lambda: predictor.predict_points(images), lambda: predictor.predict_points(images[:1]))
    line("predict: points and confidences", lambda: predictor.predict(images), lambda: predictor.predict(images[:1]))
    export_onnx(run, folder / "model.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    fed = images[:, None] if config.network.channels == 1 else np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    line(
        "onnxruntime, float32",
        lambda: session.run(None, {"pictures": fed}),
        lambda: session.run(None, {"pictures": fed[:1]}),
    )


def main() -> None:
    """Measure the chosen recipes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", default="fast,recommended,ml-resnet,cnn-6")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    keep_memory()
    torch.set_num_threads(args.threads)
    for recipe in args.recipes.split(","):
        with tempfile.TemporaryDirectory() as folder:
            measure(recipe, Path(folder))


if __name__ == "__main__":
    main()
