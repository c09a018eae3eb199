"""Augmentation of the pixel values of images [B, C, S, S] in 0..255. A step whose setting is 0 costs nothing.

Random numbers come from a generator on the CPU, so that a batch is the same on every device.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from training.learning.augment.batch_random import normal, uniform
from training.storage.runs.settings.config import RunConfig

_SMALLEST, _LARGEST = 0.02, 0.2  # area of an erased rectangle, as a fraction of the image
_ASPECT = 3.0  # at most, either way
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and standard deviation of red, green, blue in 0..1
_UNIT_CONTRAST = 0.25  # typical standard deviation within an image, values in 0..1


def blur(x: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """A Gaussian of sigma 1 pixel on this fraction of the images."""
    if fraction == 0:
        return x
    chosen = (uniform(len(x), generator=generator) < fraction).nonzero().squeeze(1).to(x.device)
    across = _blur_matrix(x.shape[-1]).to(x.device)
    return x.index_copy(0, chosen, across @ (x[chosen] @ across.T))


def gamma(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Values to the power of 1/(1 + strength) to 1 + strength, drawn per image, log-uniformly."""
    if strength == 0:
        return x
    draw = (uniform(len(x), 1, 1, 1, generator=generator) * 2 - 1).to(x.device)
    exponent = torch.exp(draw * math.log1p(strength))
    return (x.clamp(min=0) / 255).pow(exponent) * 255


def standardise(x: Tensor, *, gain: Tensor | float = 1.0, brightness: Tensor | float = 0.0) -> Tensor:
    """Each image [C, S, S] to mean 0 and standard deviation 1, which removes the camera's brightness and contrast.

    gain and brightness, a number or [B, 1, 1, 1]: factor and offset applied to the result. Channels last.
    """
    flat = x.flatten(1)
    centred = flat - flat.mean(dim=1, keepdim=True)
    # twice as fast as torch.std_mean, whose extra pass for accuracy centred values do not need
    spread = torch.linalg.vector_norm(centred, dim=1) / flat.shape[1] ** 0.5
    scale = gain / (spread.view(-1, 1, 1, 1) + 1e-3)
    result = centred.view(x.shape).mul_(scale)
    if isinstance(brightness, Tensor):
        result += brightness
    return result.contiguous(memory_format=torch.channels_last)


def normalise(x: Tensor, rule: str, *, gain: Tensor | float = 1.0, brightness: Tensor | float = 0.0) -> Tensor:
    """The values of images [B, C, S, S] as the network sees them, channels last; gain and brightness as in
    `standardise`.

    rule: "picture": `standardise`; "unit": value / 256 (cascade report, 2015, 3.1); "imagenet": ImageNet's mean and
    standard deviation, as the published weights expect; gray images use the averages over the three channels.
    """
    if rule == "picture":
        return standardise(x, gain=gain, brightness=brightness)
    mean, spread = (0.0, 256.0) if rule == "unit" else _imagenet(x)
    scale = gain / spread
    shift = brightness * _contrast_unit(rule) - mean * scale
    result = x * scale
    if isinstance(shift, Tensor) or shift:
        result += shift
    return result.contiguous(memory_format=torch.channels_last)


def _contrast_unit(rule: str) -> float:
    """The typical standard deviation within an image after normalisation by the rule."""
    return _UNIT_CONTRAST if rule == "unit" else 1.0


def _imagenet(x: Tensor) -> tuple[Tensor, Tensor]:
    """ImageNet's mean and standard deviation [C, 1, 1], for values in 0..255."""
    both = 255 * torch.tensor(_IMAGENET, device=x.device)  # [2, 3]
    mean, spread = both if x.shape[1] == 3 else both.mean(dim=1, keepdim=True)
    return mean.view(-1, 1, 1), spread.view(-1, 1, 1)


def light(x: Tensor, config: RunConfig, generator: torch.Generator) -> Tensor:
    """Normalised images with random brightness and contrast, drawn per image."""
    if config.augment.brightness == 0 and config.augment.contrast == 0:
        return normalise(x, config.network.pixels)
    draw = (uniform(len(x), 2, 1, 1, 1, generator=generator) * 2 - 1).to(x.device)
    return normalise(
        x,
        config.network.pixels,
        gain=1 + config.augment.contrast * draw[:, 0],
        brightness=config.augment.brightness * draw[:, 1],
    )


def noise(x: Tensor, config: RunConfig, generator: torch.Generator) -> Tensor:
    """Gaussian noise on normalised images, with a standard deviation drawn per image from 0 to the setting's."""
    if config.augment.noise == 0:
        return x
    size = uniform(len(x), 1, 1, 1, generator=generator) * config.augment.noise * _contrast_unit(config.network.pixels)
    return x + (normal(*x.shape, generator=generator) * size).to(x.device)


def erase(x: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """A random rectangle filled with the image's mean in this fraction of images (Zhong et al., Random Erasing).

    Points under it keep their labels: the network has to infer them from the rest of the face.
    """
    if fraction == 0:
        return x
    draw = uniform(len(x), 5, generator=generator).T
    area = _SMALLEST + (_LARGEST - _SMALLEST) * draw[0]
    aspect = torch.exp((draw[1] * 2 - 1) * math.log(_ASPECT))
    size = torch.stack(((area / aspect).sqrt(), (area * aspect).sqrt()))  # [2, B]: width, height
    first = draw[2:4] * (1 - size)
    centres = (torch.arange(x.shape[-1]) + 0.5) / x.shape[-1]
    covered = (centres >= first.unsqueeze(-1)) & (centres < (first + size).unsqueeze(-1))  # [2, B, S]
    covered &= (draw[4] < fraction).unsqueeze(-1)
    rectangle = covered[1, :, :, None] & covered[0, :, None, :]
    return torch.where(rectangle.unsqueeze(1).to(x.device), x.mean(dim=(1, 2, 3), keepdim=True), x)


def _blur_matrix(side: int) -> Tensor:
    """[S, S]: row i holds the weights of pixel i; beyond the border the outermost pixel repeats.

    Multiplying by it is five times faster on a CPU than a convolution with one channel per group.
    """
    taps = torch.exp(-0.5 * torch.arange(-3.0, 4.0).square())
    sources = (torch.arange(side)[:, None] + torch.arange(-3, 4)).clamp(0, side - 1)
    return torch.zeros(side, side).scatter_add_(1, sources, (taps / taps.sum()).expand(side, 7))
