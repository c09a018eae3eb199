"""Draws sheets of augmented faces with their points, as a run with given settings would see them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.faces.images.reading import resize_points
from training.learning.augment.batch import augment
from training.storage.project.project import Project
from training.storage.runs.inputs.data import load_images
from training.storage.runs.settings.config import RunConfig

_GRAY, _CONTRAST = 127.5, 52.0  # gray value of a standardised image's mean, and of one standard deviation


@dataclass(frozen=True)
class _Faces:
    project: Project
    ids: list[int]
    size: tuple[int, int]  # input_size, channels
    images: Tensor
    sides: np.ndarray  # [N, 2], width and height of the originals


class Sheet:
    """Draws augmented faces. Keeps the images of the last call, so that changed settings are shown at once."""

    def __init__(self) -> None:
        self._faces: _Faces | None = None

    def draw(self, project: Project, ids: list[int], config: RunConfig, *, seed: int) -> dict[str, Any]:
        """{"size": [N, S, S, C], "pictures": uint8 values in base64, "points": [N][K][x, y], "mask": [N][K]}.

        points: px of the images; mask: which of them exist. Raises UserError where an image cannot be read.
        """
        config = config.changed(pixels="picture")  # always shown by this rule, whatever the network uses
        faces = self._read(project, ids, config)
        points, mask = _labels(faces)
        generator = torch.Generator().manual_seed(seed)
        flip = torch.tensor(project.schema.flip)
        with _one_thread():
            x, points, mask = augment(faces.images, points, mask, config=config, flip=flip, generator=generator)
            shown = (x * _CONTRAST + _GRAY).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        return {
            "size": list(shown.shape),
            "pictures": base64.b64encode(shown.numpy().tobytes()).decode("ascii"),
            "points": np.round(points.numpy().astype(np.float64), 2).tolist(),
            "mask": mask.tolist(),
        }

    def _read(self, project: Project, ids: list[int], config: RunConfig) -> _Faces:
        size, faces = (config.network.input_size, config.network.channels), self._faces
        if faces is None or faces.project is not project or faces.ids != ids or faces.size != size:
            images = torch.from_numpy(load_images(project, np.array(ids, np.int64), config))
            samples = [project.sample(i) for i in ids]
            sides = np.array([(s.width, s.height) for s in samples]).reshape(-1, 2)
            faces = self._faces = _Faces(project, ids, size, images, sides)
        return faces


@contextmanager
def _one_thread() -> Iterator[None]:
    """Next to a training that keeps the cores busy, several threads take ten times as long for such small work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _labels(faces: _Faces) -> tuple[Tensor, Tensor]:
    """Points [N, K, 2] in px of the images, and mask [N, K]; read again each time, since labels change."""
    labels = faces.project.labels(np.array(faces.ids, np.int64))
    side = faces.size[0]
    points = resize_points(np.nan_to_num(labels.points), faces.sides, (side, side))
    return torch.from_numpy(points.astype(np.float32)), torch.from_numpy(labels.mask)
