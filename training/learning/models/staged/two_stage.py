"""CNN-6/7 (Wing Loss for Robust Facial Landmark Localisation with CNNs, CVPR 2018, section 6).

CNN-6 finds the points on the image at 64 px. The similarity from the mean shape to its points gives the face's position
and rotation; the image is cropped along it, upright, and CNN-7 finds the points there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.learning.augment.batch_random import uniform
from training.learning.augment.geometry import inside
from training.learning.models.plain_cnn import CNN6, CNN7, cnn6_parameters, cnn7_parameters
from training.learning.models.points import PointNet, origin_of
from training.learning.models.staged.base import Lesson, Source, StagedNet
from training.learning.models.staged.similarity import Similarity, cut, fit_similarity, to_normal, to_pixels
from training.storage.runs.settings.config import RunConfig

FIRST_SIDE = 64  # px of the image that CNN-6 sees
_FILL = 0.7  # fraction of the crop's side that the larger side of the mean shape's box fills
_WING = 2 / 3  # Wing's w and epsilon of stage 1 relative to stage 2's: 10 and 2 px against 15 and 3 px (section 7.1)
# stage 2's random rotation relative to stage 1's: 10 against 30 degrees (section 7.1); also scale and shift
_LESS = 1 / 3


class TwoStage(StagedNet):
    """cnn-6-7. networks: CNN-6 for FIRST_SIDE, CNN-7 for the input's side. mean_shape: [K, 2], px of the input.

    With 68 keypoints at 128x128x3 3,806,152 + 8,508,168 parameters: 12.3 M (Table 7).
    """

    reference: Tensor
    zoom: Tensor

    def __init__(self, networks: Sequence[nn.Module], mean_shape: Tensor, *, targets: str, input_size: int) -> None:
        small = _first_side(input_size)
        shape = to_normal(mean_shape, side=input_size)
        upright = to_pixels(_filling(shape), side=input_size)
        at_small = to_pixels(shape, side=small)
        super().__init__(
            PointNet(networks[0], origin_of(at_small, targets=targets, side=small), input_size=small),
            PointNet(networks[1], origin_of(upright, targets=targets, side=input_size), input_size=input_size),
        )
        self.side, self.small = input_size, small
        self.register_buffer("reference", _filling(shape))  # [K, 2], normalised: the mean shape in the crop
        self.register_buffer("zoom", _zoom(shape))

    def settings(self, config: RunConfig) -> RunConfig:
        """Stage 1 has its own Wing parameters; stage 2 makes its own crops, so images are not moved before."""
        if self.number == 1:
            return config.changed(
                wing_w=config.objective.wing_w * _WING, wing_epsilon=config.objective.wing_epsilon * _WING
            )
        rate = config.optim.learning_rate * config.network.stage_rate
        return config.changed(learning_rate=rate, rotation=0.0, scale=0.0, shift=0.0, box_corners=0.0)

    def unit(self) -> float:
        """Stage 1 works in px of the small image, stage 2 in px of the crop."""
        return self.small / self.side if self.number == 1 else float(self.zoom)

    def first_points(self, x: Tensor) -> Tensor:
        """CNN-6's points, px of the input."""
        return to_pixels(to_normal(self.first(self._shrunk(x)), side=self.small), side=self.side)

    def refine(self, x: Tensor, points: Tensor) -> Tensor:
        """CNN-7's points from the crop along `points`; px of the input."""
        frame = self._frame(points, points.new_ones(1, points.shape[1]))
        inside = self.second(cut(x, frame, side=self.side))
        return to_pixels(frame.apply(to_normal(inside, side=self.side)), side=self.side)

    def mistakes(self, pred: Tensor, points: Tensor, mask: Tensor) -> Tensor:
        """Where stage 1 places the crop relative to the correct one: turn and shift [n, 4].

        From faces with at least half of their labels; where there are none, from all with two.
        """
        count = (mask > 0).sum(dim=1)
        enough = count >= mask.shape[1] / 2
        enough = enough if bool(enough.any()) else count >= min(2, mask.shape[1])
        pred, points, mask = pred[enough], points[enough], mask[enough]
        off = self._frame(points, mask).inverse().after(self._frame(pred, mask))
        found = torch.cat((off.turn, off.shift), dim=1)
        return found if len(found) else found.new_tensor([[1.0, 0.0, 0.0, 0.0]])

    def lesson(self, x: Tensor, points: Tensor, mask: Tensor, source: Source) -> Lesson:
        """Stage 1: the small image. Stage 2: crops at the face, displaced by stage 1's errors."""
        there = to_normal(points, side=self.side)
        if self.number == 1:
            return Lesson(self.first(self._shrunk(x)), to_pixels(there, side=self.small), mask)
        with torch.no_grad():
            shape = completed(points, mask, self.first_points(x))
            frame = self._frame(shape, torch.ones_like(shape[..., 0]))
            frame = frame.after(_drawn(len(x), source)).after(_jitter(len(x), source))
            square = cut(x, frame, side=self.side)
            target = to_pixels(frame.inverse().apply(there), side=self.side)
            if source.config.augment.outside == "mask":
                mask = mask * inside(target, side=self.side)
        return Lesson(self.second(square), target, mask)

    def _shrunk(self, x: Tensor) -> Tensor:
        """The image at CNN-6's side, averaged over areas."""
        if self.small == self.side:
            return x
        return F.interpolate(x, size=(self.small, self.small), mode="area")

    def _frame(self, points: Tensor, weight: Tensor) -> Similarity:
        """From the crop to the image, both normalised; points: px of the input."""
        return fit_similarity(self.reference.unsqueeze(0), to_normal(points, side=self.side), weight)


def completed(points: Tensor, mask: Tensor, pred: Tensor) -> Tensor:
    """Labels where present; elsewhere the prediction, shifted like the face's labels. All [B, K, 2] px."""
    there = (mask > 0).unsqueeze(-1)
    apart = torch.where(there, points - pred, 0.0)
    shift = apart.sum(dim=1, keepdim=True) / there.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.where(there, points, pred + shift)


def two_stage_networks(*, input_size: int, channels: int, outputs: int, dropout: float) -> nn.ModuleList:
    size = {"channels": channels, "outputs": outputs, "dropout": dropout}
    return nn.ModuleList(
        [CNN6(input_size=_first_side(input_size), **size), CNN7(input_size=input_size, **size)]  # type: ignore[arg-type]
    )


def two_stage_parameters(*, input_size: int, channels: int, outputs: int) -> int:
    first = cnn6_parameters(input_size=_first_side(input_size), channels=channels, outputs=outputs)
    return first + cnn7_parameters(input_size=input_size, channels=channels, outputs=outputs)


def _drawn(count: int, source: Source) -> Similarity:
    """Errors of stage 1, one per image."""
    rows = (uniform(count, generator=source.generator) * len(source.mistakes)).long()
    turn, shift = source.mistakes[rows.to(source.mistakes.device)].split(2, dim=1)
    return Similarity(turn, shift)


def _jitter(count: int, source: Source) -> Similarity:
    """Displacement beyond stage 1's errors: a third of the settings' rotation, scale and shift, and the box corners.

    Moving a box's upper left and lower right corner moves and scales it; its aspect ratio is kept here.
    """
    config = source.config
    draw = (uniform(count, 8, generator=source.generator) * 2 - 1).to(source.mistakes.device)
    upper, lower = (draw[:, 4:] * config.augment.box_corners).split(2, dim=1)
    angle = draw[:, 0] * math.radians(config.augment.rotation * _LESS)
    size = 1 + draw[:, 1] * config.augment.scale * _LESS + (lower - upper).mean(dim=1)
    turn = torch.stack((torch.cos(angle) * size, torch.sin(angle) * size), dim=-1)
    return Similarity(turn, 2 * config.augment.shift * _LESS * draw[:, 2:4] + upper + lower)


def _first_side(input_size: int) -> int:
    return min(FIRST_SIDE, input_size)


def _filling(shape: Tensor) -> Tensor:
    """The shape [K, 2] (normalised), centred, with its box's larger side _FILL of the crop's."""
    middle = (shape.amin(dim=0) + shape.amax(dim=0)) / 2
    return (shape - middle) * _zoom(shape)


def _zoom(shape: Tensor) -> Tensor:
    """How many times larger the shape is in the crop; 1 where all points coincide."""
    size = _size(shape)
    return torch.where(size > 1e-6, 2 * _FILL / size.clamp(min=1e-6), torch.ones_like(size))


def _size(shape: Tensor) -> Tensor:
    """The larger side of a shape's box."""
    return (shape.amax(dim=0) - shape.amin(dim=0)).max()
