"""The two-level cascade (Facial Keypoint Detection, report on cascaded CNNs, 2015, section 4).

Level 1 sees the whole image and predicts all points. In level 2 a small network per keypoint sees a patch around level
1's point and predicts the point again. The K small networks are computed as one grouped network.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.learning.augment.batch_random import uniform
from training.learning.models.plain_cnn import PlainCNN, plain_cnn_parameters
from training.learning.models.points import PointNet, origin_of
from training.learning.models.staged.base import Lesson, Source, StagedNet
from training.learning.models.staged.patches import PatchNets, patch_nets_parameters
from training.learning.models.staged.similarity import pixel_centres, to_normal
from training.storage.runs.settings.config import RunConfig

PATCH = 50  # px of the input: the report's 50x50 of 96x96


class Level1(PlainCNN):
    """Four convolutions for 96x96."""

    widths = (16, 32, 64, 128)


class Cascade(StagedNet):
    """cascade. networks: Level1 and PatchNets. mean_shape: [K, 2], px of the input."""

    def __init__(self, networks: Sequence[nn.Module], mean_shape: Tensor, *, targets: str, input_size: int) -> None:
        origin = origin_of(mean_shape, targets=targets, side=input_size)
        super().__init__(PointNet(networks[0], origin, input_size=input_size), networks[1])
        self.side = input_size

    def settings(self, config: RunConfig) -> RunConfig:
        """Both levels use the same augmentation; level 2 may have its own rate."""
        rate = config.optim.learning_rate * (1 if self.number == 1 else config.network.stage_rate)
        return config.changed(learning_rate=rate)

    def unit(self) -> float:
        """Both levels work in px of the input."""
        return 1.0

    def first_points(self, x: Tensor) -> Tensor:
        """Level 1's points, px of the input."""
        points: Tensor = self.first(x)
        return points

    def refine(self, x: Tensor, points: Tensor) -> Tensor:
        """Level 2's points from patches around `points`; px of the input."""
        offsets = self.second(patches(x, points)).float().unflatten(1, (-1, 2))
        return points + PATCH / 2 * offsets

    def mistakes(self, pred: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        """Level 1's errors [n, K, 2], px, per keypoint, repeated to fill n; those of all keypoints where one has no
        label.
        """
        off = pred - points
        pool = off[mask > 0]
        pool = pool if len(pool) else torch.zeros_like(off[:1, 0])
        columns = [off[there, k] if there.any() else pool for k, there in enumerate((mask > 0).T)]
        rows = torch.arange(max(map(len, columns)), device=off.device)
        return torch.stack([own[rows % len(own)] for own in columns], dim=1)

    def lesson(self, x: Tensor, points: Tensor, mask: Tensor, source: Source) -> Lesson:
        """Level 1: the image. Level 2: patches at the labels, shifted by level 1's errors for that keypoint."""
        if self.number == 1:
            return Lesson(self.first(x), points, mask)
        mistakes = source.mistakes
        rows = (uniform(*mask.shape, generator=source.generator) * len(mistakes)).long().to(mistakes.device)
        off = mistakes.gather(0, rows.unsqueeze(-1).expand(-1, -1, 2))  # [B, K, 2]
        return Lesson(self.refine(x, points + off), points, mask)


def patches(x: Tensor, centres: Tensor) -> Tensor:
    """Squares of PATCH px around centres [B, K, 2] (px) of images [B, C, S, S]: [B, K * C, PATCH, PATCH].

    Outside the image its border is repeated.
    """
    side = x.shape[-1]
    inside = pixel_centres(PATCH, like=x).unsqueeze(1) * (PATCH / side)  # [1, 1, PATCH * PATCH, 2]
    grid = to_normal(centres, side=side).unsqueeze(2) + inside
    grid = grid.unflatten(2, (PATCH, PATCH)).flatten(1, 2)  # [B, K * PATCH, PATCH, 2]
    squares = F.grid_sample(x.float(), grid, padding_mode="border", align_corners=False)
    return squares.unflatten(2, (-1, PATCH)).transpose(1, 2).flatten(1, 2)


def cascade_networks(*, input_size: int, channels: int, outputs: int, dropout: float) -> nn.ModuleList:
    """Level 1 and the K networks of level 2."""
    first = Level1(input_size=input_size, channels=channels, outputs=outputs, dropout=dropout)
    return nn.ModuleList([first, PatchNets(keypoints=outputs // 2, channels=channels, side=PATCH)])


def cascade_parameters(*, input_size: int, channels: int, outputs: int) -> int:
    first = plain_cnn_parameters(Level1.widths, input_size=input_size, channels=channels, outputs=outputs)
    return first + patch_nets_parameters(keypoints=outputs // 2, channels=channels, side=PATCH)
