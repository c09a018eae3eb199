"""A sheet of augmented faces: the request to the prediction process and its reply."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.faces.images.reading import resize_points
from training.storage.project.identity import Address, Place
from training.storage.project.project import Project
from training.storage.runs.settings.config import RunConfig


@dataclass
class SheetRequest:
    """A request for these faces as augmented in training with these settings and seed."""

    project: Address
    ids: list[int]
    config: RunConfig
    seed: int
    number: int = 0  # of the pending request; 0: none

    def lines(self, number: int) -> dict[str, Any]:
        """The request as protocol values."""
        self.number = number
        return {
            "id": number,
            "cmd": "augment",
            "project": self.project.to_json(),
            "ids": self.ids,
            "config": self.config.to_json(),
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Sheet:
    """images: uint8 [N, S, S, C], C 1 or 3. points: [N, K, 2], px of the images. mask: bool [N, K], known points."""

    ids: list[int]
    images: np.ndarray
    points: np.ndarray
    mask: np.ndarray

    @classmethod
    def of(cls, ids: list[int], reply: dict[str, Any]) -> Sheet:
        """Parse the worker's reply. Raises KeyError, TypeError or ValueError if it is incomplete."""
        size = tuple(int(n) for n in reply["size"])
        images = np.frombuffer(base64.b64decode(reply["pictures"]), np.uint8).reshape(size)
        points, mask = np.array(reply["points"], np.float64), np.array(reply["mask"], bool)
        if len(size) != 4 or len(ids) != size[0] or points.shape != (*mask.shape, 2) or len(mask) != len(ids):
            raise ValueError("the parts of a sheet do not fit together")
        return cls(ids, images, points, mask)


def plain_sheet(project: Place, ids: list[int], config: RunConfig) -> Sheet:
    """These faces without augmentation, at the network's input size. Raises UserError if an image can't be read."""
    rows, side = np.array(ids, np.int64), config.network.input_size
    with Project.open(project, read_only=True) as opened:
        images = opened.images(rows, size=side, channels=config.network.channels)
        labels, samples = opened.labels(rows), [opened.sample(i) for i in ids]
    sides = np.array([(s.width, s.height) for s in samples])
    points = resize_points(np.nan_to_num(labels.points), sides, (side, side)).astype(np.float64)
    return Sheet(ids, images.reshape(len(ids), side, side, config.network.channels), points, labels.mask)
