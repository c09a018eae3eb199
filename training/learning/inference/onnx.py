"""Exports a trained model to ONNX: one graph from images at network size to points, checked against torch.

Input `images` [B, C, S, S], uint8 or float32 in 0..255, any B; C is 1 (gray) or 3 (RGB). Output `points` float32 [B,
K, 2], px of the input. Normalisation, label offset and, optionally, averaging with the mirrored view are part of the
graph.
"""

from __future__ import annotations

import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

import training
from training.errors import UserError
from training.faces.labels.splits import spread_rows
from training.files.replacing import replacing
from training.learning.augment.photometric import normalise
from training.learning.inference.averaged_views import averaged_points
from training.learning.inference.checkpoint import ModelInfo, load_model
from training.learning.inference.fused import for_inference
from training.learning.inference.onnx_int8 import CALIBRATION, int8
from training.learning.models.staged.base import StagedNet
from training.storage.project.project import Project
from training.storage.runs.inputs.data import load_readable
from training.storage.runs.inputs.marking_schemes import scheme_number
from training.storage.runs.model.adjustment import read_adjustment
from training.storage.runs.run import Run

IMAGES = 64  # images that the file is checked with
CLOSE = 2e-4  # of the largest coordinate: above this the export is wrong; rounding causes a hundredth of it
_OPSET = 17  # needs onnx 1.12; grid_sample came with 16
_EXTRA = ("onnx", "onnxruntime")
_LICENCE = "unknown: the labels and images that the model was trained on decide; ask whoever trained it"


@dataclass(frozen=True)
class OnnxReport:
    """What was written. difference: the largest between torch and onnxruntime on `images` images, px. moved: how far
    8-bit numbers move a coordinate, px, RMS over images of the project; None without them.
    """

    out: Path
    size: int  # bytes
    difference: float
    images: int
    shape: tuple[int, int, int]  # C, S, S
    keypoints: int
    moved: float | None = None

    @property
    def sentence(self) -> str:
        channels, side, _ = self.shape
        kind = "gray" if channels == 1 else "RGB"
        before = "" if self.moved is None else " before its convolutions became 8-bit"
        after = "" if self.moved is None else f" They move the project's points by {self.moved:.2f} px (RMS)."
        return (
            f"{self.out}: {self.size / 1e6:.1f} MB, {side} x {side} {kind} images to {self.keypoints} points; the "
            f"largest difference from torch is {self.difference:.4f} px on {self.images} images{before}.{after}"
        )


def export_onnx(
    model: Run,
    out: Path,
    *,
    mirrored: bool | None = None,
    upright: bool | None = None,
    input_type: str = "uint8",
    scheme: str | None = None,
    int8_from: Path | None = None,
) -> OnnxReport:
    """Write the best model of a run, or a model file, including the calibration to an annotator's labels.

    mirrored: average with the mirrored view; upright: look again at rotated faces, turned upright, which costs the
    graph two passes for every face (None: as the model's settings say). scheme: the marking scheme of the points (None:
    the model's first). int8_from: compute convolutions with 8-bit numbers, whose ranges come from this project's
    images.

    Raises UserError where the extra `onnx` is missing, the model cannot be read or the file cannot be written.
    """
    check_installed()
    network, info = load_model(model)
    adjustment = read_adjustment(model, keypoints=len(info.schema))
    graph = PointGraph(
        network,
        info,
        mirrored=info.config.network.flip_average if mirrored is None else mirrored,
        upright=info.config.network.upright if upright is None else upright,
        scheme=0 if scheme is None else scheme_number(info.schemes, scheme),
        offset=np.zeros(2) if adjustment is None else adjustment.offset,
    ).eval()
    example = _images(info, 3, input_type)
    data = _described(_exported(graph, example), info, graph, input_type)
    difference = _checked(data, graph, info, _images(info, IMAGES, input_type))
    moved = None
    if int8_from is not None:
        data, moved = _quantised(data, _project_images(int8_from, info, input_type))
    with replacing(out) as file:
        file.write(data)
    c, side = info.config.network.channels, info.config.network.input_size
    return OnnxReport(out, len(data), difference, IMAGES, (c, side, side), len(info.schema), moved)


def _quantised(data: bytes, images: np.ndarray) -> tuple[bytes, float]:
    """The graph with 8-bit convolutions, and how far they move a coordinate, px (RMS)."""
    smaller = int8(data, images)
    change = _found(smaller, images) - _found(data, images)
    return smaller, float(np.sqrt(np.square(change).mean()))


def _project_images(path: Path, info: ModelInfo, input_type: str) -> np.ndarray:
    """Images of the project, evenly spread, in the graph's input format. Raises UserError where it has none."""
    with Project.open(path, read_only=True) as project:
        ids = spread_rows(project.ids(), CALIBRATION)
        found, _ = load_readable(project, ids, info.config)
    if not len(found):
        raise UserError(f"{path} has no readable image, and --int8 needs some to choose the ranges of 8-bit numbers.")
    planes = found[:, None] if found.ndim == 3 else found.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(planes).astype(input_type)


def check_installed() -> None:
    """Raises UserError where packages of the extra are missing."""
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"ONNX export needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
            "pip install 'fkp-studio[onnx]'."
        )


class PointGraph(nn.Module):
    """Images [B, C, S, S], values 0..255 -> points [B, K, 2], px of the input: the complete prediction in one
    module."""

    flip: Tensor
    offset: Tensor

    def __init__(
        self,
        model: nn.Module,
        info: ModelInfo,
        *,
        mirrored: bool,
        upright: bool = False,
        scheme: int = 0,
        offset: np.ndarray,
    ) -> None:
        super().__init__()
        config = info.config
        self.model = for_inference(
            model, torch.zeros(2, config.network.channels, config.network.input_size, config.network.input_size)
        )
        if isinstance(self.model, StagedNet):
            self.model = _OneStage(self.model)
        self.pixels, self.mirrored, self.upright, self.scheme = config.network.pixels, mirrored, upright, scheme
        self.register_buffer("flip", torch.tensor(info.schema.flip))
        self.register_buffer("offset", torch.from_numpy(offset).float())  # px of the input

    def forward(self, images: Tensor) -> Tensor:
        x = normalise(images.float(), self.pixels)
        points = averaged_points(
            self.model, x, flip=self.flip, flip_average=self.mirrored, upright=self.upright, scheme=self.scheme
        )
        return points.float() + self.offset


class _OneStage(nn.Module):
    """A two-stage model fixed to its current stage, since a graph cannot branch on a weight."""

    def __init__(self, model: StagedNet) -> None:
        super().__init__()
        self.model, self.refined = model, model.number > 1

    def forward(self, x: Tensor) -> Tensor:
        points = self.model.first_points(x)
        return self.model.refine(x, points) if self.refined else points


def _images(info: ModelInfo, count: int, input_type: str) -> np.ndarray:
    """Blurred noise, the same each time."""
    side, channels = info.config.network.input_size, info.config.network.channels
    noise = torch.rand(count, channels, side // 8 + 2, side // 8 + 2, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.interpolate(noise, size=(side, side), mode="bilinear", align_corners=False)
    return (255 * smooth).round().numpy().astype(input_type)


def _exported(graph: PointGraph, example: np.ndarray) -> Any:
    """The graph as an onnx ModelProto. By tracing: the newer exporter (dynamo) takes thirty times as long."""
    file = io.BytesIO()
    batch = {0: "batch"}
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            graph,
            (torch.from_numpy(example),),
            cast(Any, file),  # torch's annotation only allows paths
            dynamo=False,
            opset_version=_OPSET,
            input_names=["pictures"],
            output_names=["points"],
            dynamic_axes={"pictures": batch, "points": batch},
        )
    import onnx

    return onnx.load_from_string(file.getvalue())


def _described(model: Any, info: ModelInfo, graph: PointGraph, input_type: str) -> bytes:
    """The file's bytes, with metadata that makes it usable on its own."""
    config, schema = info.config, info.schema
    model.producer_name, model.producer_version = "FKP Studio", training.__version__
    model.doc_string = (
        "Facial keypoints: pictures [B, C, S, S], values 0..255 -> points [B, K, 2], px; first pixel's centre is (0, "
        "0)."
    )
    properties: dict[str, Any] = {
        "keypoints": list(schema.keypoints),
        "flip": list(schema.flip),
        "input_size": config.network.input_size,
        "channels": config.network.channels,
        "channel_order": "gray" if config.network.channels == 1 else "RGB",
        "input_type": input_type,
        "mirrored_view_averaged": graph.mirrored,
        "turned_upright": graph.upright,
        **({"scheme": info.schemes[graph.scheme]} if info.schemes else {}),
        "recipe": config.recipe,
        "network": config.network.model,
        "metrics": info.metrics,
        "licence_of_training_data": _LICENCE,
    }
    for key, value in properties.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value if isinstance(value, str) else json.dumps(value)
    data: bytes = model.SerializeToString()
    return data


def _checked(data: bytes, graph: PointGraph, info: ModelInfo, images: np.ndarray) -> float:
    """The largest difference of the graph's points from the model's, px. Raises UserError where they are not close."""
    difference, largest = _difference(data, graph, images)
    if not difference <= CLOSE * largest:
        raise UserError(
            f"The points of the ONNX graph of {info.config.network.model} differ from the model's by {difference:.3f} "
            "px, so it was not written. Try another version of torch or onnxruntime."
        )
    return difference


def _difference(data: bytes, graph: PointGraph, images: np.ndarray) -> tuple[float, float]:
    """The largest difference of a coordinate between onnxruntime and torch, and the largest coordinate, px."""
    found = _found(data, images)
    with torch.no_grad():
        wanted = graph(torch.from_numpy(images)).numpy()
    return float(np.abs(found - wanted).max()), max(float(np.abs(wanted).max()), float(images.shape[-1]))


def _found(data: bytes, images: np.ndarray) -> np.ndarray:
    """Points [B, K, 2] by onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["points"], {"pictures": images})[0])


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's warnings about its internals, which users cannot act on."""
    names = ("torch.onnx",)
    before = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
