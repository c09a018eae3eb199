"""Creates networks by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from training.errors import UserError
from training.learning.models.learned_offsets import LabelOffsets, offset_parameters
from training.learning.models.light import LightPoints, light_networks, light_parameters
from training.learning.models.ml_resnet import MLResNet, ml_resnet_parameters
from training.learning.models.mlp import MLP, mlp_parameters
from training.learning.models.plain_cnn import CNN6, CNN7, cnn6_parameters, cnn7_parameters
from training.learning.models.points import PointNet, origin_of
from training.learning.models.resnet50 import ResNet50, resnet50_parameters
from training.learning.models.staged.base import StagedNet
from training.learning.models.staged.cascade import Cascade, cascade_networks, cascade_parameters
from training.learning.models.staged.two_stage import TwoStage, two_stage_networks, two_stage_parameters
from training.storage.runs.settings.config import RunConfig


@dataclass(frozen=True)
class Entry:
    """How a network is created, its number of parameters, and what its input size must be a multiple of."""

    make: Callable[..., nn.Module]
    parameters: Callable[..., int]
    multiple: int
    whole: type[TwoStage] | type[Cascade] | type[LightPoints] | None = None  # combines the networks into one model
    has_width: bool = False  # whether the setting width applies


MODELS: dict[str, Entry] = {
    "ml-resnet": Entry(MLResNet, ml_resnet_parameters, 8),
    "ml-cnn": Entry(partial(MLResNet, residual=False), partial(ml_resnet_parameters, residual=False), 8),
    "cnn-6": Entry(CNN6, cnn6_parameters, 32),
    "cnn-7": Entry(CNN7, cnn7_parameters, 64),
    "mlp": Entry(MLP, mlp_parameters, 1),
    "resnet-50": Entry(ResNet50, resnet50_parameters, 32),
    "cnn-6-7": Entry(two_stage_networks, two_stage_parameters, 64, TwoStage),
    "cascade": Entry(cascade_networks, cascade_parameters, 16, Cascade),
    "light": Entry(light_networks, light_parameters, 16, LightPoints, has_width=True),
}


def make_model(config: RunConfig, keypoints: int, *, mean_shape: Tensor | None = None, schemes: int = 1) -> nn.Module:
    """The config's network. mean_shape: [K, 2], px of the input. schemes: number of marking schemes.

    Raises UserError for an unsupported input size, or where label offsets are not supported.
    """
    entry = MODELS[config.network.model]
    if config.network.input_size % entry.multiple:
        raise UserError(
            f"The network {config.network.model} needs an input size that is a multiple of {entry.multiple}, not "
            f"{config.network.input_size}."
        )
    network = entry.make(**_size(config, keypoints), dropout=config.network.dropout)
    parts = list(network) if isinstance(network, nn.ModuleList) else [network]
    for part in parts:
        _initialise(part, config.network.init)
    centre = torch.full((keypoints, 2), (config.network.input_size - 1) / 2)
    shape = centre if mean_shape is None else mean_shape.float()
    model = _whole(entry, parts, shape, config)
    if config.network.label_offset:
        if isinstance(model, StagedNet):
            raise UserError(
                f"The network {config.network.model} has two stages and does not support the setting label_offset."
            )
        model.offsets = LabelOffsets(keypoints, schemes)
    return model


def _size(config: RunConfig, keypoints: int) -> dict[str, Any]:
    size = {"input_size": config.network.input_size, "channels": config.network.channels, "outputs": 2 * keypoints}
    return size | ({"width": config.network.width} if MODELS[config.network.model].has_width else {})


def _whole(entry: Entry, parts: list[nn.Module], shape: Tensor, config: RunConfig) -> nn.Module:
    if entry.whole is not None:
        return entry.whole(parts, shape, targets=config.network.targets, input_size=config.network.input_size)
    origin = origin_of(shape, targets=config.network.targets, side=config.network.input_size)
    return PointNet(parts[0], origin, input_size=config.network.input_size)


def count_parameters(model: nn.Module) -> int:
    """The number of trained parameters."""
    return sum(p.numel() for p in model.parameters())


def recipe_parameters(config: RunConfig, keypoints: int, *, schemes: int = 1) -> int:
    """The number of parameters of a recipe's network, without creating it."""
    network = MODELS[config.network.model].parameters(**_size(config, keypoints))
    return network + (offset_parameters(keypoints, schemes) if config.network.label_offset else 0)


def _initialise(network: nn.Module, rule: str) -> None:
    """He's rule with the network's own gain, small at the output so that training starts at the origin; Xavier; N(0,
    0.02).
    """
    gain: float = getattr(network, "gain", 2**0.5)
    for name, value in network.named_parameters():
        if value.ndim < 2:
            if name.endswith("bias"):
                nn.init.zeros_(value)
        elif rule == "normal":
            nn.init.normal_(value, std=0.02)
        elif rule == "xavier":
            nn.init.xavier_normal_(value)
        elif name.startswith("output"):
            nn.init.normal_(value, std=1e-4)
        else:
            nn.init.normal_(value, std=gain / value[0].numel() ** 0.5)
