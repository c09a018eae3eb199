"""Tiny runs for tests: a bright dot on noise defines all points; trains in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.faces.labels.schema import KeypointSchema
from training.storage.runs.inputs.data import RunData, choose_rows
from training.storage.runs.inputs.snapshot import Snapshot
from training.storage.runs.new_run import write_run
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig, with_overrides
from training.storage.runs.settings.recipes import recipe_config

SIDE = 32
SCHEMA = KeypointSchema(
    name="dot-3",
    keypoints=("left_eye", "right_eye", "nose"),
    flip=(1, 0, 2),
    interocular=((0,), (1,)),
    interpupil=((0,), (1,)),
)


def dots(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [N, 32, 32], points [N, 3, 2]: the nose is a bright blob, the eyes are 6 px above on both sides."""
    rng = np.random.default_rng(seed)
    nose = rng.uniform(10, 22, (count, 2))
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    blob = np.exp(-((x - nose[:, :1, None]) ** 2 + (y - nose[:, 1:, None]) ** 2) / 18)
    noise = rng.normal(0, 8, blob.shape)
    images = np.clip(60 + 150 * blob + noise, 0, 255).astype(np.uint8)
    return images, np.stack([nose + np.array([6, -6]), nose + np.array([-6, -6]), nose], axis=1)


def make_data(train: int = 48, val: int = 16, *, rows: str = "all") -> tuple[RunData, Snapshot]:
    """Half of the train rows lack their eyes."""
    images, points = dots(train + val)
    splits = np.repeat(np.array([0, 1], np.uint8), (train, val))
    points[: train // 2, :2] = np.nan
    sizes = np.full((len(points), 2), SIDE, np.int32)
    chosen, measured = choose_rows(points, splits, rows=rows)
    data = RunData(
        images, points.astype(np.float32), sizes, chosen, measured if val else chosen, SCHEMA, val_is_train=not val
    )
    states = np.isfinite(points[..., 0]).astype(np.uint8)
    return data, Snapshot(np.arange(len(points)), points, states, splits, sizes, SCHEMA, "hash")


def tiny_config(**settings: str) -> RunConfig:
    """A network with 32 px input and very short epochs."""
    values = {
        "input_size": "32",
        "channels": "1",
        "batch_size": "16",
        "epochs": "4",
        "precision": "float32",
        "threads": "1",
        "device": "cpu",
        "learning_rate": "1e-3",
    }
    return with_overrides(recipe_config("cnn-6"), {**values, **settings})


def make_run(folder: Path, config: RunConfig, snapshot: Snapshot) -> Run:
    """A run in `folder/p.fkp/runs`."""
    return write_run(folder / "p.fkp" / "runs", config, snapshot)
