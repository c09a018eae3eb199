"""Makes photos with synthetic faces that OpenCV detects, and untrained starter models, for tests."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import torch

from training.faces.labels.schema import KAGGLE_15, KeypointSchema
from training.learning.inference.checkpoint import ModelInfo, save_model
from training.learning.models.registry import make_model
from training.storage.runs.settings.config import RunConfig
from training.synthetic.faces import make_faces

WIDE = 120  # px of a pasted face's image


def photo(seeds: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """A gray photo [240, 60 + 160 per face] uint8 with faces side by side, and their points [F, 15, 2] in it."""
    made = make_faces(max(seeds) + 1, seed=1)
    canvas, points = np.full((240, 60 + 160 * len(seeds)), 128, np.uint8), []
    for n, seed in enumerate(seeds):
        x, y = 50 + 160 * n, 60
        canvas[y : y + WIDE, x : x + WIDE] = cv2.resize(made.images[seed], (WIDE, WIDE))
        points.append((made.points[seed] + 0.5) * WIDE / 96 - 0.5 + (x, y))
    return canvas, np.stack(points)


def jpeg(path: Path, image: np.ndarray, *, orientation: int = 1) -> Path:
    """Write an upright image as a rotated camera does: stored rotated, with the EXIF value that undoes it."""
    turned = {1: image, 6: np.rot90(image, 1), 3: np.rot90(image, 2), 8: np.rot90(image, -1)}[orientation]
    data = cv2.imencode(".jpg", np.ascontiguousarray(turned))[1].tobytes()
    body = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:])
    return path


def tiny_config(**changes: object) -> RunConfig:
    """The light network, as small as possible."""
    values = {"recipe": "recommended", "model": "light", "width": 0.1, "input_size": 32, "epochs": 1, "minutes": None}
    return RunConfig.from_json({**values, "threads": 1, "precision": "float32", "device": "cpu", **changes})


def write_starter(folder: Path, schema: KeypointSchema = KAGGLE_15, *, seed: int = 0) -> Path:
    """A model file of untrained weights under a starter's name."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    config, path = tiny_config(), folder / f"face-{len(schema)}.safetensors"
    shape = torch.tensor(schema.template) * 20 + 6
    model = make_model(config, len(schema), mean_shape=shape.float())
    save_model(path, model.state_dict(), ModelInfo(config, schema, "float32"))
    return path
